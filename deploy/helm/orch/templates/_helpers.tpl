{{- define "orch.labels" -}}
app.kubernetes.io/name: orch
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* Labels that select the pods of one role. Argument: dict with root and role. */}}
{{- define "orch.selector" -}}
app.kubernetes.io/name: orch
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{/* What --queues gets. Argument: dict with role and worker. */}}
{{- define "orch.queues" -}}
{{- if and (eq .role "models") .worker.vendors -}}
{{- range $i, $vendor := .worker.vendors }}{{ if $i }},{{ end }}models:{{ $vendor }}{{ end -}}
{{- else -}}
{{ .role }}
{{- end -}}
{{- end }}

{{- define "orch.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* What each pod shares: who it runs as, and nothing of the cluster's API. */}}
{{- define "orch.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
{{- end }}

{{- define "orch.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Environment of the connection to Temporal and of the store. */}}
{{- define "orch.environment" -}}
- {name: TEMPORAL_ADDRESS, value: {{ .Values.temporal.address | quote }}}
- {name: TEMPORAL_NAMESPACE, value: {{ .Values.temporal.namespace | quote }}}
{{- if .Values.temporal.apiKeySecret }}
- name: TEMPORAL_API_KEY
  valueFrom: {secretKeyRef: {name: {{ .Values.temporal.apiKeySecret }}, key: TEMPORAL_API_KEY}}
{{- end }}
{{- with .Values.temporal.tls }}
{{- if .enabled }}
- {name: TEMPORAL_TLS, value: "true"}
{{- if .serverName }}
- {name: TEMPORAL_TLS_SERVER_NAME, value: {{ .serverName | quote }}}
{{- end }}
{{- if .secret }}
- {name: TEMPORAL_TLS_SERVER_CA_CERT_PATH, value: /etc/orch/tls/ca.crt}
{{- end }}
{{- if .mutual }}
- {name: TEMPORAL_TLS_CLIENT_CERT_PATH, value: /etc/orch/tls/tls.crt}
- {name: TEMPORAL_TLS_CLIENT_KEY_PATH, value: /etc/orch/tls/tls.key}
{{- end }}
{{- end }}
{{- end }}
- {name: ORCH_ARTIFACTS_URL, value: {{ .Values.artifacts.url | quote }}}
- {name: ORCH_HEALTH_ADDRESS, value: "0.0.0.0:8080"}
- {name: ORCH_METRICS_ADDRESS, value: "0.0.0.0:9464"}
{{- if .Values.otlpEndpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ .Values.otlpEndpoint | quote }}}
- {name: OTEL_METRICS_EXPORTER, value: none}
{{- end }}
{{- range $name, $value := .Values.env }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}
