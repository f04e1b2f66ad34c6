{{/* What every pod has. 10001 is the user of the images. Takes (list CONTEXT VALUES-OF-COMPONENT), and true as a third
where the pod talks to the cluster. */}}
{{- define "fpo.pod" -}}
{{- $values := index . 1 -}}
automountServiceAccountToken: {{ and (gt (len .) 2) (index . (sub (len .) 1)) | ternary true false }}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  # Else each start would open the stores, which are closed to the group, and walk through all of their files.
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with (index . 0).Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "fpo.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* The HTTP address: inside the pod, or for Prometheus. Calls keep TLS and tokens.
Takes (list CONTEXT PORT). */}}
{{- define "fpo.http" -}}
{{- if (index . 0).Values.metrics.enabled -}}
- --http=0.0.0.0:{{ index . 1 }}
- --http-open
{{- else -}}
- --http=127.0.0.1:{{ index . 1 }}
{{- end -}}
{{- end }}

{{/* Kubernetes' gRPC probe knows no TLS, and its HTTP probe does not reach loopback: the program in the image asks there.
Takes (list PORT READY?). */}}
{{- define "fpo.probes" -}}
startupProbe:
  exec: {command: [fpo-healthy, "127.0.0.1:{{ index . 0 }}"]}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 150
livenessProbe:
  exec: {command: [fpo-healthy, "127.0.0.1:{{ index . 0 }}"]}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  exec: {command: [fpo-healthy, {{ if index . 1 }}--ready, {{ end }}"127.0.0.1:{{ index . 0 }}"]}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}

{{/* A program takes no token file that others may read, and fsGroup opens every Secret to the group: a copy of its own.
Takes (list CONTEXT IMAGE). */}}
{{- define "fpo.copyToken" -}}
- name: copy-token
  image: {{ include "fpo.image" . }}
  imagePullPolicy: {{ (index . 0).Values.images.pullPolicy }}
  command: [install, -m, "0600", /secret/token, /run/fpo/token]
  securityContext: {{- include "fpo.containerSecurity" . | nindent 4 }}
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {memory: 64Mi}
  volumeMounts:
    - {name: token-secret, mountPath: /secret, readOnly: true}
    - {name: token, mountPath: /run/fpo}
{{- end }}

{{/* Takes (list CONTEXT STORAGE NAME). */}}
{{- define "fpo.claim" -}}
accessModes: [ReadWriteOnce]
{{- with (index . 1).className }}
storageClassName: {{ . }}
{{- end }}
resources: {requests: {storage: {{ (index . 1).size }}}}
{{- end }}
