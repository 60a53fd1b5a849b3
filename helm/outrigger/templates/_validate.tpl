{{- /* What the schema cannot say: values that contradict each other fail with a sentence. */ -}}
{{- define "outrigger.validate" -}}
{{- $values := .Values -}}
{{- range $name := list "sidecar" "injector" -}}
{{- $digest := (get $values.image $name).digest -}}
{{- if and $digest (not (regexMatch "^sha256:[0-9a-f]{64}$" $digest)) -}}
{{- fail (printf "`%s` in `image.%s.digest` is no digest; write sha256: and 64 hexadecimal digits, as deploy/images prints them" $digest $name) -}}
{{- end -}}
{{- end -}}
{{- $names := list -}}
{{- range $values.hosts -}}
{{- $name := include "outrigger.host" .name -}}
{{- if has $name $names -}}
{{- fail (printf "`hosts` names %s twice; keep one of them" $name) -}}
{{- end -}}
{{- $names = append $names $name -}}
{{- if .upstream -}}
{{- $octet := "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])" -}}
{{- $address := printf "^(%s([.]%s){3}|\\[[0-9a-fA-F:.]+\\]):[0-9]{1,5}$" $octet $octet -}}
{{- $port := int (last (splitList ":" .upstream)) -}}
{{- if or (not (regexMatch $address .upstream)) (lt $port 1) (gt $port 65535) -}}
{{- fail (printf "`%s` in `hosts` (%s) is not an IP address with a port; write such as 10.0.0.5:443 or [fd00::5]:443" .upstream .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $resources := $values.sidecar.resources -}}
{{- range $bounds := list (list "cpu" "1m" "16") (list "memory" "1Mi" "16Gi") (list "memoryLimit" "16Mi" "16Gi") (list "cpuLimit" "50m" "16") -}}
{{- $amount := include "outrigger.quantity" (get $resources (index $bounds 0)) -}}
{{- if $amount -}}
{{- $number := float64 (include "outrigger.amount" $amount) -}}
{{- if or (lt $number (float64 (include "outrigger.amount" (index $bounds 1)))) (gt $number (float64 (include "outrigger.amount" (index $bounds 2)))) -}}
{{- fail (printf "`sidecar.resources.%s` is %s, with which no pod would start; give it %s to %s" (index $bounds 0) $amount (index $bounds 1) (index $bounds 2)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $pair := list (list "memory" "memoryLimit") (list "cpu" "cpuLimit") -}}
{{- $least := include "outrigger.quantity" (get $resources (first $pair)) -}}
{{- $most := include "outrigger.quantity" (get $resources (last $pair)) -}}
{{- if and $most (gt (float64 (include "outrigger.amount" $least)) (float64 (include "outrigger.amount" $most))) -}}
{{- fail (printf "`sidecar.resources.%s` %s is more than `%s` %s, and no pod could start; lower one or raise the other" (first $pair) $least (last $pair) $most) -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := merge (dict "sidecar.otlpEndpoint" $values.sidecar.otlpEndpoint) $values.sidecar.environment -}}
{{- if and (regexMatch "^(sidecar[.]otlpEndpoint|OTEL_EXPORTER_OTLP_(.*_)?ENDPOINT)$" $name) (contains "@" (toString $value)) -}}
{{- fail (printf "`%s` has credentials in its URL, and a sidecar takes none there; leave them out, and send them as OTEL_EXPORTER_OTLP_HEADERS" $name) -}}
{{- end -}}
{{- end -}}
{{- range $pair := list
  (list "allowedProviders" "OUTRIGGER_ALLOWED_PROVIDERS")
  (list "extraCAs" "OUTRIGGER_EXTRA_CAS_PEM")
  (list "passthroughHosts" "OUTRIGGER_PASSTHROUGH_HOSTS")
  (list "sidecar.failurePolicy" "OUTRIGGER_FAILURE_POLICY")
  (list "sidecar.spoolMiB" "OUTRIGGER_SPOOL_BYTES") -}}
{{- if hasKey $values.sidecar.environment (last $pair) -}}
{{- fail (printf "%s in `sidecar.environment` is what `%s` says, and more hangs on that; keep to `%s`" (last $pair) (first $pair) (first $pair)) -}}
{{- end -}}
{{- end -}}
{{- if and $values.sidecar.otlpEndpoint (hasKey $values.sidecar.environment "OTEL_EXPORTER_OTLP_ENDPOINT") -}}
{{- fail "`sidecar.otlpEndpoint` and `sidecar.environment` (OTEL_EXPORTER_OTLP_ENDPOINT) say the same thing twice; keep to `sidecar.otlpEndpoint`" -}}
{{- end -}}
{{- range $name := list "OUTRIGGER_POD_NAME" "OUTRIGGER_POD_NAMESPACE" "OUTRIGGER_POD_UID" "OUTRIGGER_POD_IP" "OUTRIGGER_NODE_NAME" "OUTRIGGER_KEY_NAMES" -}}
{{- if hasKey $values.sidecar.environment $name -}}
{{- fail (printf "%s in `sidecar.environment` is filled for each pod by its own facts; leave it out" $name) -}}
{{- end -}}
{{- end -}}
{{- range $values.rules.namespaces -}}
{{- if has . $values.injection.excludedNamespaces -}}
{{- fail (printf "`%s` stands in `rules.namespaces` and in `injection.excludedNamespaces`, where no pod reads rules; take it out of one of them" .) -}}
{{- end -}}
{{- if eq . $.Release.Namespace -}}
{{- fail (printf "`rules.namespaces` names %s, the release's own, where no pod is given a sidecar; take it out" .) -}}
{{- end -}}
{{- end -}}
{{- if and $values.injector.hostNetwork (eq (int $values.injector.port) 10250) -}}
{{- fail "`injector.hostNetwork` is true and `injector.port` is 10250, which is the kubelet's on every node; set `injector.port` to a free one such as 10260" -}}
{{- end -}}
{{- if eq (int $values.injector.port) 19005 -}}
{{- fail "`injector.port` is 19005, where metrics and probes are; set another one such as 10250" -}}
{{- end -}}
{{- if and (trim $values.extraCAs) (not (contains "-----BEGIN CERTIFICATE-----" $values.extraCAs)) -}}
{{- fail "`extraCAs` is no PEM; give it with its lines -----BEGIN CERTIFICATE-----, by --set-file for instance" -}}
{{- end -}}
{{- if gt (len (trim $values.extraCAs)) 98303 -}}
{{- fail (printf "`extraCAs` has %d bytes of the 98303 that a pod's variable takes; give only the authorities of your own, since the public ones are trusted already, and only their PEM, without text between" (len (trim $values.extraCAs))) -}}
{{- end -}}
{{- if eq $values.certificates.mode "files" -}}
{{- if not (and $values.certificates.files.secretName $values.certificates.files.authority) -}}
{{- fail "`certificates.mode` is files, so `certificates.files` needs `secretName` (a Secret of type kubernetes.io/tls) and `authority` (the PEM behind it)" -}}
{{- end -}}
{{- if not (contains "-----BEGIN CERTIFICATE-----" $values.certificates.files.authority) -}}
{{- fail "`certificates.files.authority` is no PEM; give it with its line -----BEGIN CERTIFICATE-----, by --set-file for instance" -}}
{{- end -}}
{{- else if or $values.certificates.files.secretName $values.certificates.files.authority -}}
{{- fail (printf "`certificates.files` is set, and `certificates.mode` is %s; set `certificates.mode` to files, or leave `certificates.files` empty" $values.certificates.mode) -}}
{{- end -}}
{{- if and $values.certificates.certManager.issuerRef (ne $values.certificates.mode "certManager") -}}
{{- fail (printf "`certificates.certManager.issuerRef` is set, and `certificates.mode` is %s; set `certificates.mode` to certManager, or leave it out" $values.certificates.mode) -}}
{{- end -}}
{{- if has $values.test.namespace $values.injection.excludedNamespaces -}}
{{- fail (printf "`test.namespace` is %s, which is excluded from injection; name another one" $values.test.namespace) -}}
{{- end -}}
{{- $metrics := lower (toString (get $values.sidecar.environment "OUTRIGGER_METRICS")) -}}
{{- if and $values.monitoring.podMonitor.enabled (has $metrics (list "off" "false")) -}}
{{- fail "`monitoring.podMonitor.enabled` is true, and OUTRIGGER_METRICS in `sidecar.environment` is off, so there is nothing to scrape; take one of them out" -}}
{{- end -}}
{{- with $values.certificates.self -}}
{{- if ge (int .renewBeforeDays) (int .lifeDays) -}}
{{- fail (printf "`certificates.self.renewBeforeDays` is %d of `lifeDays` %d; give it fewer" (int .renewBeforeDays) (int .lifeDays)) -}}
{{- end -}}
{{- if gt (add (int .settleSeconds) (int .overlapSeconds)) (mul (int .renewBeforeDays) 86400) -}}
{{- fail "`certificates.self.settleSeconds` and `overlapSeconds` are together more than `renewBeforeDays`; give less" -}}
{{- end -}}
{{- end -}}
{{- if and $values.rules.namespaces (not (trim $values.rules.document)) -}}
{{- fail "`rules.namespaces` names namespaces, and `rules.document` is empty; give the rules as text, by --set-file rules.document=rules.yaml for instance" -}}
{{- end -}}
{{- if and (trim $values.rules.document) (not $values.rules.namespaces) -}}
{{- fail "`rules.document` has rules, and `rules.namespaces` names no namespace that would get them" -}}
{{- end -}}
{{- if trim $values.rules.document -}}
{{- $document := fromYaml $values.rules.document -}}
{{- if or (not $document) (hasKey $document "Error") -}}
{{- fail "`rules.document` is no YAML of keys and values; give the rules as text, by --set-file rules.document=rules.yaml for instance" -}}
{{- end -}}
{{- end -}}
{{- if ne (len $values.rules.namespaces) (len (uniq $values.rules.namespaces)) -}}
{{- fail "`rules.namespaces` names a namespace twice" -}}
{{- end -}}
{{- if and $values.hosts (or (hasKey $values.sidecar.environment "OUTRIGGER_HOSTS") (hasKey $values.sidecar.environment "OUTRIGGER_UPSTREAMS")) -}}
{{- fail "`hosts` and `sidecar.environment` (OUTRIGGER_HOSTS or OUTRIGGER_UPSTREAMS) both say which hosts are read; keep to `hosts`" -}}
{{- end -}}
{{- $left := list -}}
{{- range $values.passthroughHosts }}{{ $left = append $left (include "outrigger.host" .) }}{{ end -}}
{{- range $values.hosts -}}
{{- if has (include "outrigger.host" .name) $left -}}
{{- fail (printf "`%s` stands in `hosts`, to be read, and in `passthroughHosts`, to be left alone; take it out of one of them" .name) -}}
{{- end -}}
{{- end -}}
{{- if and $values.policy.enabled (not (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version)) -}}
{{- fail (printf "`policy.enabled` needs Kubernetes 1.30, and this is %s; leave it off" .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- if and (has "Deny" $values.policy.actions) (has "Warn" $values.policy.actions) -}}
{{- fail "`policy.actions` has Deny and Warn, which Kubernetes does not take together; keep one of them" -}}
{{- end -}}
{{- end -}}

{{- /* A quantity as a number that compares. */ -}}
{{- define "outrigger.amount" -}}
{{- $units := dict "" 1.0 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 -}}
{{- mulf (float64 (regexFind "^[0-9.]+" .)) (get $units (regexFind "[A-Za-z]*$" .)) -}}
{{- end -}}
