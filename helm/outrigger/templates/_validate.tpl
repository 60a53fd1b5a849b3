{{- /* What the schema cannot say: values that contradict each other fail with a sentence. */ -}}
{{- define "outrigger.validate" -}}
{{- $values := .Values -}}
{{- range $name := list "sidecar" "injector" -}}
{{- $digest := (get $values.image $name).digest -}}
{{- if and $digest (not (regexMatch "^sha256:[0-9a-f]{64}$" $digest)) -}}
{{- fail (printf "`%s` in `image.%s.digest` is no digest; write sha256: and 64 hexadecimal digits, as deploy/images writes them into values.yaml" $digest $name) -}}
{{- end -}}
{{- /* Tags that are no version say nothing; a digest says nothing either, and is tried by running it. */ -}}
{{- $version := regexFind "^v?(0|[1-9][0-9]*)[.](0|[1-9][0-9]*)[.](0|[1-9][0-9]*)" (get $values.image $name).tag -}}
{{- if and $version (not $digest) (semverCompare (printf "<%s-0" (regexFind "^[0-9.]+" $.Chart.AppVersion)) $version) -}}
{{- fail (printf "`image.%s.tag` is %s, older than this chart, which tells it what version %s understands; give it the image of %s or a later one, or install the chart of %s" $name (get $values.image $name).tag $.Chart.AppVersion $.Chart.AppVersion $version) -}}
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
{{- fail (printf "`%s` has credentials in its URL, and a sidecar takes none there; leave them out, and send them as headers by `sidecar.otlpHeadersFile`" $name) -}}
{{- end -}}
{{- end -}}
{{- range $pair := list
  (list "allowedProviders" "OUTRIGGER_ALLOWED_PROVIDERS")
  (list "extraCAs" "OUTRIGGER_EXTRA_CAS_PEM")
  (list "sidecar.otlpHeadersFile" "OUTRIGGER_OTLP_HEADERS_FILE")
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
{{- range $name := list "OUTRIGGER_CONNECT" "OUTRIGGER_BASE_URL" "OUTRIGGER_TRANSPARENT_PORT" "OUTRIGGER_TRUST_DIR" -}}
{{- if hasKey $values.sidecar.environment $name -}}
{{- fail (printf "%s in `sidecar.environment` is where a pod's other containers look for the sidecar; leave it out" $name) -}}
{{- end -}}
{{- end -}}
{{- $isSent := $values.sidecar.otlpEndpoint -}}
{{- range $name, $value := $values.sidecar.environment -}}
{{- if hasPrefix "OUTRIGGER_REDIRECT_" $name -}}
{{- fail (printf "%s in `sidecar.environment` is the redirection's; set it in `sidecar.redirectEnvironment`" $name) -}}
{{- end -}}
{{- if regexMatch "^OTEL_EXPORTER_OTLP_(.*_)?ENDPOINT$" $name }}{{ $isSent = $value }}{{ end -}}
{{- end -}}
{{- if and $values.sidecar.otlpHeadersFile (not $isSent) -}}
{{- fail "`sidecar.otlpHeadersFile` names credentials, and no endpoint is set that they are for; set `sidecar.otlpEndpoint`" -}}
{{- end -}}
{{- $isDisabled := eq (lower (toString (get $values.sidecar.environment "OTEL_SDK_DISABLED"))) "true" -}}
{{- if and $values.sidecar.otlpEndpoint $isDisabled -}}
{{- fail "`sidecar.otlpEndpoint` is set, and OTEL_SDK_DISABLED in `sidecar.environment` is true, so nothing is sent there; take one of them out" -}}
{{- end -}}
{{- range $name, $value := $values.sidecar.redirectEnvironment -}}
{{- if not (hasPrefix "OUTRIGGER_REDIRECT_" $name) -}}
{{- fail (printf "%s in `sidecar.redirectEnvironment` is no variable of the redirection, which reads OUTRIGGER_REDIRECT_*; set it in `sidecar.environment`" $name) -}}
{{- end -}}
{{- if has $name (list "OUTRIGGER_REDIRECT_FAILURE_POLICY" "OUTRIGGER_REDIRECT_ON_PROXY_DOWN") -}}
{{- fail (printf "%s in `sidecar.redirectEnvironment` is what `sidecar.failurePolicy` (%s) says for both containers; set `sidecar.failurePolicy`" $name $values.sidecar.failurePolicy) -}}
{{- end -}}
{{- if eq $name "OUTRIGGER_REDIRECT_REPORT" -}}
{{- fail (printf "%s in `sidecar.redirectEnvironment` is where the sidecar's doctor looks; leave it out" $name) -}}
{{- end -}}
{{- end -}}
{{- $redirected := splitList "," (toString (default "443" (get $values.sidecar.redirectEnvironment "OUTRIGGER_REDIRECT_PORTS"))) -}}
{{- $left := splitList "," (toString (default "" (get $values.sidecar.redirectEnvironment "OUTRIGGER_REDIRECT_EXCLUDE_PORTS"))) -}}
{{- $some := false -}}
{{- range $redirected -}}
{{- if has (trim .) (list "19001" "19002" "19003" "19004" "19005") -}}
{{- fail (printf "OUTRIGGER_REDIRECT_PORTS in `sidecar.redirectEnvironment` has %s, one of the sidecar's own; take it out" (trim .)) -}}
{{- end -}}
{{- $port := trim . -}}
{{- $here := false -}}
{{- range $left }}{{ if eq (trim .) $port }}{{ $here = true }}{{ end }}{{ end -}}
{{- if not $here }}{{ $some = true }}{{ end -}}
{{- end -}}
{{- if not $some -}}
{{- fail "OUTRIGGER_REDIRECT_EXCLUDE_PORTS in `sidecar.redirectEnvironment` leaves out every port that would be redirected; take one out of it, or set `mode` to base-url" -}}
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
{{- $metrics := lower (toString (default "" (get $values.sidecar.environment "OUTRIGGER_METRICS"))) -}}
{{- $isOff := has $metrics (list "off" "false") -}}
{{- if and $metrics (not $isOff) -}}
{{- $host := regexReplaceAll ":[0-9]+$" $metrics "" -}}
{{- if has (regexFind "[0-9]+$" $metrics) (list "19001" "19002" "19003") -}}
{{- fail (printf "OUTRIGGER_METRICS in `sidecar.environment` is %s, a port on which the sidecar listens for calls; leave it at 19005" $metrics) -}}
{{- end -}}
{{- if and (ne $host $metrics) (not (has $host (list "[::]" "0.0.0.0" "127.0.0.1"))) -}}
{{- fail (printf "OUTRIGGER_METRICS in `sidecar.environment` is %s, which is no address of every pod, and a kubelet's probes would find nobody; write [::]:19005, 127.0.0.1:19005 or off" $metrics) -}}
{{- end -}}
{{- end -}}
{{- if $values.monitoring.podMonitor.enabled -}}
{{- if $isOff -}}
{{- fail "`monitoring.podMonitor.enabled` is true, and OUTRIGGER_METRICS in `sidecar.environment` is off, so there is nothing to scrape; take one of them out" -}}
{{- end -}}
{{- if hasPrefix "127." $metrics -}}
{{- fail (printf "`monitoring.podMonitor.enabled` is true, and OUTRIGGER_METRICS in `sidecar.environment` is %s, where nobody but the pod itself can scrape; write [::]:19005, or take one of them out" $metrics) -}}
{{- end -}}
{{- if regexMatch ":0$" $metrics -}}
{{- fail (printf "`monitoring.podMonitor.enabled` is true, and OUTRIGGER_METRICS in `sidecar.environment` is %s, a port that nobody knows; write [::]:19005, or take one of them out" $metrics) -}}
{{- end -}}
{{- if $isDisabled -}}
{{- fail "`monitoring.podMonitor.enabled` is true, and OTEL_SDK_DISABLED in `sidecar.environment` is true, so there is nothing to scrape; take one of them out" -}}
{{- end -}}
{{- $exporter := toString (default "" (get $values.sidecar.environment "OTEL_METRICS_EXPORTER")) -}}
{{- if and $exporter (not (contains "prometheus" $exporter)) -}}
{{- fail (printf "`monitoring.podMonitor.enabled` is true, and OTEL_METRICS_EXPORTER in `sidecar.environment` is %s, so there is nothing to scrape; add prometheus to it, or take one of them out" $exporter) -}}
{{- end -}}
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
