{{- /* Names and texts that several templates share. */ -}}

{{- define "outrigger.name" -}}outrigger-injector{{- end -}}

{{- define "outrigger.selector" -}}
app.kubernetes.io/name: outrigger-injector
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "outrigger.labels" -}}
{{ include "outrigger.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: outrigger
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* An image's reference: (dict "root" $ "image" .Values.image.sidecar). A digest wins. */ -}}
{{- define "outrigger.image" -}}
{{- $registry := .root.Values.image.registry -}}
{{- $name := .image.name -}}
{{- if $registry }}{{ $name = printf "%s/%s" (trimSuffix "/" $registry) $name }}{{ end -}}
{{- if .image.digest -}}
{{ $name }}@{{ .image.digest }}
{{- else -}}
{{ $name }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* The Secret that the certificate's files are mounted from; empty where the injector makes its own. */ -}}
{{- define "outrigger.certificateSecret" -}}
{{- if eq .Values.certificates.mode "files" -}}
{{ .Values.certificates.files.secretName }}
{{- else if eq .Values.certificates.mode "certManager" -}}
outrigger-injector-certificate
{{- end -}}
{{- end -}}

{{- /* What Pod Security `restricted` asks of a container, and a root that nobody writes to. */ -}}
{{- define "outrigger.restricted" -}}
runAsNonRoot: true
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- /* A host's name as names are compared. */ -}}
{{- define "outrigger.host" -}}{{ lower (trimSuffix "." .) }}{{- end -}}

{{- /* A quantity as text: a whole number of values is read as one with a fraction. */ -}}
{{- define "outrigger.quantity" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ printf "%d" (int64 .) }}{{ else }}{{ toString . }}{{ end -}}
{{- end -}}

{{- /* What the values say to every sidecar, as the injector writes it (crates/injector/src/containers.rs). */ -}}
{{- define "outrigger.toldToPods" -}}
{{- $pods := (include "outrigger.settings" . | fromYaml).pods -}}
{{- $told := dict "OUTRIGGER_SPOOL_BYTES" (toString (mul $pods.spool_mib 1024 1024)) -}}
{{- with $pods.otlp_endpoint }}{{ $_ := set $told "OTEL_EXPORTER_OTLP_ENDPOINT" . }}{{ end -}}
{{- with $pods.otlp_headers_file }}{{ $_ := set $told "OUTRIGGER_OTLP_HEADERS_FILE" (printf "/var/run/outrigger/credentials/%s" .) }}{{ end -}}
{{- with $pods.passthrough_hosts }}{{ $_ := set $told "OUTRIGGER_PASSTHROUGH_HOSTS" (join "," .) }}{{ end -}}
{{- with $pods.extra_cas }}{{ $_ := set $told "OUTRIGGER_EXTRA_CAS_PEM" . }}{{ end -}}
{{- if hasKey $pods "allowed_providers" }}{{ $_ := set $told "OUTRIGGER_ALLOWED_PROVIDERS" (join "," $pods.allowed_providers) }}{{ end -}}
{{- range $name, $value := merge (dict) $pods.environment $told }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- /* The injector's settings, docs/injection.md. */ -}}
{{- define "outrigger.settings" -}}
{{- $values := .Values -}}
{{- $environment := dict -}}
{{- $upstreams := list -}}
{{- $names := list -}}
{{- range $values.hosts -}}
{{- $name := include "outrigger.host" .name -}}
{{- $names = append $names $name -}}
{{- if .upstream }}{{ $upstreams = append $upstreams (printf "%s=%s" $name .upstream) }}{{ end -}}
{{- end -}}
{{- if $names }}{{ $_ := set $environment "OUTRIGGER_HOSTS" (join "," $names) }}{{ end -}}
{{- if $upstreams }}{{ $_ := set $environment "OUTRIGGER_UPSTREAMS" (join "," $upstreams) }}{{ end -}}
{{- range $name, $value := $values.sidecar.environment }}{{ $_ := set $environment $name (toString $value) }}{{ end -}}
{{- $redirect := dict -}}
{{- range $name, $value := $values.sidecar.redirectEnvironment }}{{ $_ := set $redirect $name (toString $value) }}{{ end -}}
{{- $resources := dict -}}
{{- range $name, $key := dict "cpu" "cpu" "memory" "memory" "memoryLimit" "memory_limit" "cpuLimit" "cpu_limit" -}}
{{- with include "outrigger.quantity" (get $values.sidecar.resources $name) }}{{ $_ := set $resources $key . }}{{ end -}}
{{- end -}}
{{- $pods := dict
  "mode" $values.mode
  "image" (include "outrigger.image" (dict "root" . "image" $values.image.sidecar))
  "resources" $resources
  "failure_policy" $values.sidecar.failurePolicy
  "passthrough_hosts" $values.passthroughHosts
  "spool_mib" (int $values.sidecar.spoolMiB)
  "environment" $environment
  "redirect_environment" $redirect
  "own_namespace" .Release.Namespace
-}}
{{- with $values.sidecar.otlpEndpoint }}{{ $_ := set $pods "otlp_endpoint" . }}{{ end -}}
{{- with $values.sidecar.otlpHeadersFile }}{{ $_ := set $pods "otlp_headers_file" . }}{{ end -}}
{{- with trim $values.extraCAs }}{{ $_ := set $pods "extra_cas" (printf "%s\n" .) }}{{ end -}}
{{- if not (kindIs "invalid" $values.allowedProviders) }}{{ $_ := set $pods "allowed_providers" $values.allowedProviders }}{{ end -}}
{{- $settings := dict
  "listen" (printf "[::]:%d" (int $values.injector.port))
  "grace_seconds" (int $values.injector.graceSeconds)
  "pods" $pods
-}}
{{- if eq $values.certificates.mode "self" -}}
{{- $_ := set $settings "certificates" (dict
  "namespace" .Release.Namespace
  "secret" "outrigger-injector-certificate"
  "lease" (include "outrigger.name" .)
  "service" (include "outrigger.name" .)
  "deployment" (include "outrigger.name" .)
  "mutating" (list "outrigger")
  "validating" (list "outrigger")
) -}}
{{- $lasts := $values.certificates.self -}}
{{- $_ := set $settings "rotation" (dict
  "life_days" (int $lasts.lifeDays)
  "renew_before_days" (int $lasts.renewBeforeDays)
  "settle_seconds" (int $lasts.settleSeconds)
  "overlap_seconds" (int $lasts.overlapSeconds)
) -}}
{{- else -}}
{{- $_ := set $settings "certificate" "/var/run/outrigger/certificate/tls.crt" -}}
{{- $_ := set $settings "key" "/var/run/outrigger/certificate/tls.key" -}}
{{- end -}}
{{- toYaml $settings -}}
{{- end -}}

{{- /* How the API server reaches the injector: (dict "root" $ "path" "/rules"). */ -}}
{{- define "outrigger.clientConfig" -}}
service:
  namespace: {{ .root.Release.Namespace }}
  name: {{ include "outrigger.name" .root }}
  path: {{ .path }}
  port: 443
{{- if eq .root.Values.certificates.mode "files" }}
caBundle: {{ .root.Values.certificates.files.authority | b64enc }}
{{- end }}
{{- end -}}

{{- /* What is told of whoever injects authorities. */ -}}
{{- define "outrigger.webhookAnnotations" -}}
{{- if eq .Values.certificates.mode "certManager" }}
  annotations:
    cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/outrigger-injector-certificate
{{- end }}
{{- end -}}

{{- /* A text of files/ with ${name} filled in, by files/parameters.yaml and what stands over it. */ -}}
{{- define "outrigger.fill" -}}
{{- $text := .text -}}
{{- $known := dict -}}
{{- range splitList "\n" (.root.Files.Get "files/parameters.yaml") -}}
{{- if regexMatch "^[a-z0-9_]+: " . -}}
{{- $pair := splitn ": " 2 . -}}
{{- $_ := set $known $pair._0 $pair._1 -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := .root.Values.monitoring.alerts.parameters -}}
{{- if not (hasKey $known $name) -}}
{{- fail (printf "`%s` in `monitoring.alerts.parameters` is no parameter; there are: %s" $name (join ", " (keys $known | sortAlpha))) -}}
{{- end -}}
{{- $_ := set $known $name (toString $value) -}}
{{- end -}}
{{- range $name, $value := $known -}}
{{- $text = replace (printf "${%s}" $name) $value $text -}}
{{- end -}}
{{- $text -}}
{{- end -}}
