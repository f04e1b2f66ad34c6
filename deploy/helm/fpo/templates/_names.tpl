{{/* Every object is called RELEASE-COMPONENT: RELEASE-coordinator, RELEASE-cache, RELEASE-cache-replica, RELEASE-worker. */}}
{{- define "fpo.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* The name of a component's Service in the whole cluster, which certificates have. Takes (list CONTEXT COMPONENT). */}}
{{- define "fpo.host" -}}
{{- $context := index . 0 -}}
{{ include "fpo.name" $context }}-{{ index . 1 }}.{{ $context.Release.Namespace }}.svc
{{- end }}

{{/* Coordinators as agents are told of them: with standbys all of them, by the names of their pods. */}}
{{- define "fpo.coordinators" -}}
{{- $host := include "fpo.host" (list . "coordinator") -}}
{{- $pod := printf "%s-coordinator" (include "fpo.name" .) -}}
{{- $replicas := int .Values.coordinator.replicas -}}
{{- if eq $replicas 1 -}}
{{ $host }}:7070
{{- else -}}
{{- range $i := until $replicas }}{{ if $i }},{{ end }}{{ $pod }}-{{ $i }}.{{ $host }}:7070{{ end -}}
{{- end -}}
{{- end }}

{{- define "fpo.cacheForWorkers" -}}
{{ include "fpo.host" (list . (ternary "cache-replica" "cache" (gt (int .Values.cache.replicas) 0))) }}:7080
{{- end }}

{{/* Labels by which Services and policies find pods. Takes (list CONTEXT COMPONENT). */}}
{{- define "fpo.selector" -}}
app.kubernetes.io/name: fpo
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "fpo.labels" -}}
{{ include "fpo.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end }}

{{/* Takes (list CONTEXT IMAGE). */}}
{{- define "fpo.image" -}}
{{ (index . 1).repository }}:{{ (index . 1).tag | default (index . 0).Chart.AppVersion }}
{{- end }}

{{/* Combinations that would start and not work. */}}
{{- define "fpo.check" -}}
{{- if and (gt (int .Values.coordinator.replicas) 1) (not .Values.coordinator.store.postgresql) -}}
{{- fail "coordinator.replicas above 1 needs coordinator.store.postgresql: RocksDB has one owner" -}}
{{- end -}}
{{- if and .Values.kueue.queueName (eq .Values.worker.kind "DaemonSet") -}}
{{- fail "kueue.queueName needs worker.kind StatefulSet or JobSet: Kueue does not queue a DaemonSet" -}}
{{- end -}}
{{- if and .Values.provision.enabled (gt (len (include "fpo.name" .)) 33) -}}
{{- fail "provision.enabled needs a release name of at most 33 characters: names of JobSets are made of it" -}}
{{- end -}}
{{- if and (eq .Values.worker.kind "JobSet") (lt (int .Values.worker.replicas) 1) -}}
{{- fail "worker.kind JobSet needs worker.replicas of at least 1" -}}
{{- end -}}
{{- if and (gt (int .Values.cache.replicas) 0) (not .Values.tls.clientSecret) -}}
{{- fail "cache.replicas needs tls.clientSecret: a replica takes only callers with a certificate" -}}
{{- end -}}
{{- if and (or .Values.metrics.serviceMonitor.enabled .Values.metrics.prometheusRule.enabled) (not .Values.metrics.enabled) -}}
{{- fail "metrics.serviceMonitor and metrics.prometheusRule need metrics.enabled" -}}
{{- end -}}
{{- if and .Values.metrics.prometheusRule.enabled (not .Values.metrics.prometheusRule.file) -}}
{{- fail "metrics.prometheusRule needs rules: --set-file metrics.prometheusRule.file=FILE" -}}
{{- end -}}
{{- end }}
