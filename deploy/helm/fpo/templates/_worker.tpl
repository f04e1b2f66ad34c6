{{/* Metadata and spec of a worker's pod. KIND: StatefulSet, DaemonSet, JobSet, or provisioned: of a JobSet that the coordinator
makes, which adds the flags that its pool decides. Takes (list CONTEXT KIND). */}}
{{- define "fpo.workerPod" -}}
{{- $context := index . 0 -}}
{{- $kind := index . 1 -}}
{{- $values := $context.Values.worker -}}
{{- $name := printf "%s-worker" (include "fpo.name" $context) -}}
metadata:
  labels: {{- include "fpo.labels" (list $context "worker") | nindent 4 }}
spec:
  {{- if or (eq $kind "JobSet") (eq $kind "provisioned") }}
  # A worker ends when it is let go; another pod takes the place of one that failed.
  restartPolicy: Never
  {{- end }}
  {{- include "fpo.pod" (list $context $values) | nindent 2 }}
  # The agent stops its trainers within --grace, and reports what they wrote within a minute.
  terminationGracePeriodSeconds: {{ add $values.graceSeconds 70 }}
  initContainers: {{- include "fpo.copyToken" (list $context $context.Values.images.trainer) | nindent 4 }}
  containers:
    - name: worker
      image: {{ include "fpo.image" (list $context $context.Values.images.trainer) }}
      imagePullPolicy: {{ $context.Values.images.pullPolicy }}
      args:
        - fpo-worker
        # Of a StatefulSet and a DaemonSet it outlives the pod, so that the next one goes on as the same worker.
        - --name={{ if eq $kind "DaemonSet" }}{{ $name }}-$(NODE_NAME){{ else }}$(POD_NAME){{ end }}
        - --host=$(POD_IP)
        - --coordinator={{ include "fpo.coordinators" $context }}
        - --cache={{ include "fpo.cacheForWorkers" $context }}
        {{- include "fpo.http" (list $context 7091) | nindent 8 }}
        - --tls-ca=/etc/fpo/ca/ca.crt
        {{- if $context.Values.tls.clientSecret }}
        - --tls-cert=/etc/fpo/client/tls.crt
        - --tls-key=/etc/fpo/client/tls.key
        {{- end }}
        - --token-file=/run/fpo/token
        - --work-dir=/var/lib/fpo/volume/agent
        {{- if ne $kind "provisioned" }}
        - --device={{ $values.device }}
        - --slots={{ $values.slots }}
        {{- end }}
        - --grace={{ $values.graceSeconds }}s
        {{- range $values.folders }}
        - {{ ternary "--output-root" "--root" (default false .write) }}={{ .path }}
        {{- end }}
        {{- if ne $kind "provisioned" }}
        {{- range $key, $value := $values.labels }}
        - --label={{ $key }}={{ $value }}
        {{- end }}
        {{- end }}
        {{- range $values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      env:
        - name: POD_NAME
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
        - name: POD_IP
          valueFrom: {fieldRef: {fieldPath: status.podIP}}
        - name: NODE_NAME
          valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
        # Where fpo-train remembers the digests of models.
        - {name: XDG_CACHE_HOME, value: /var/lib/fpo/volume/cache}
      {{- if $context.Values.metrics.enabled }}
      ports:
        - {name: http, containerPort: 7091}
      {{- end }}
      {{- include "fpo.probes" (list 7091 true) | nindent 6 }}
      securityContext: {{- include "fpo.containerSecurity" $context | nindent 8 }}
      resources:
        {{- if eq $values.device "cuda" }}
        {{- $gpus := dict "nvidia.com/gpu" $values.slots }}
        {{- toYaml (mergeOverwrite (deepCopy $values.resources) (dict "limits" $gpus)) | nindent 8 }}
        {{- else }}
        {{- toYaml $values.resources | nindent 8 }}
        {{- end }}
      volumeMounts:
        - {name: work, mountPath: /var/lib/fpo/volume}
        - {name: ca, mountPath: /etc/fpo/ca, readOnly: true}
        - {name: token, mountPath: /run/fpo}
        {{- if $context.Values.tls.clientSecret }}
        - {name: client, mountPath: /etc/fpo/client, readOnly: true}
        {{- end }}
        - {name: tmp, mountPath: /tmp}
        # Ranks of one pod exchange gradients there: 16 MiB each, and NCCL's own.
        - {name: shm, mountPath: /dev/shm}
        {{- range $i, $folder := $values.folders }}
        - {name: folder-{{ $i }}, mountPath: {{ $folder.path }}, readOnly: {{ not (default false $folder.write) }}}
        {{- end }}
  volumes:
    - name: ca
      secret: {secretName: {{ $context.Values.tls.caSecret }}, defaultMode: 0440}
    - name: token-secret
      secret: {secretName: {{ $values.tokenSecret }}, defaultMode: 0440}
    - name: token
      emptyDir: {medium: Memory, sizeLimit: 1Mi}
    {{- if $context.Values.tls.clientSecret }}
    - name: client
      secret: {secretName: {{ $context.Values.tls.clientSecret }}, defaultMode: 0440}
    {{- end }}
    - name: tmp
      emptyDir: {sizeLimit: 1Gi}
    - name: shm
      emptyDir: {medium: Memory, sizeLimit: {{ mul 64 $values.slots }}Mi}
    {{- range $i, $folder := $values.folders }}
    - name: folder-{{ $i }}
      persistentVolumeClaim: {claimName: {{ $folder.claim }}, readOnly: {{ not (default false $folder.write) }}}
    {{- end }}
    {{- if ne $kind "StatefulSet" }}
    - name: work
      ephemeral:
        volumeClaimTemplate:
          spec: {{- include "fpo.claim" (list $context $values.work) | nindent 12 }}
    {{- end }}
{{- end }}

{{/* Workers as one JobSet. Takes (list CONTEXT KIND REPLICAS). */}}
{{- define "fpo.workerJobSet" -}}
{{- $context := index . 0 -}}
apiVersion: jobset.x-k8s.io/v1alpha2
kind: JobSet
metadata:
  name: {{ include "fpo.name" $context }}-worker
  labels:
    {{- include "fpo.labels" (list $context "worker") | nindent 4 }}
    {{- with $context.Values.kueue.queueName }}
    kueue.x-k8s.io/queue-name: {{ . }}
    {{- end }}
spec:
  # Kept for a look at what happened.
  ttlSecondsAfterFinished: 3600
  replicatedJobs:
    - name: w
      replicas: 1
      template:
        spec:
          parallelism: {{ index . 2 }}
          completions: {{ index . 2 }}
          completionMode: Indexed
          backoffLimit: {{ mul 3 (max 1 (index . 2)) }}
          template: {{- include "fpo.workerPod" (list $context (index . 1)) | nindent 12 }}
{{- end }}
