package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// TestExampleConfig: the example is read, and shows every key that there is.
func TestExampleConfig(t *testing.T) {
	const example = "spoor.example.yaml"
	got, err := readConfig(example)
	if err != nil {
		t.Fatal(err)
	}
	first, compare := uint64(900_000), 2
	want := Config{
		Follow: []NodeConfig{
			{Network: "bitcoin", URLs: []string{"http://127.0.0.1:8332"}, Cookie: "/var/lib/bitcoind/.cookie", Headers: []string{}, From: &first, KeepRaw: true},
			{Network: "ethereum", URLs: []string{"https://node.example", "http://127.0.0.1:8545"}, Headers: []string{"Authorization: @/etc/spoor/node.key"}, Rate: 50},
		},
		Sources: []SourceConfig{{
			Name: "mine", Network: "bitcoin", API: "esplora", URL: "https://esplora.example/api", Headers: []string{"X-Api-Key: @/etc/spoor/esplora.key"},
			Parameters: []string{}, Proxy: "socks5://127.0.0.1:9050", Rate: 5, Parallel: 8,
		}},
		Fetch:   FetchConfig{Compare: &compare, MaxHistory: 20_000, FreshMinutes: 60, AgainSeconds: 60, MaxRequests: 10_000, MaxMegabytes: 1024, MaxMinutes: 60},
		Bridges: []string{"/etc/spoor/bridges.yaml"}, Prices: []string{"/etc/spoor/prices.csv"},
		Data: "/var/lib/spoor", Output: "table", Timezone: "Asia/Bangkok",
		SortMegabytes: 256,
		Serve:         ServeConfig{Listen: "127.0.0.1:9090", Webhooks: []WebhookConfig{{Tenant: "local", URL: "https://compliance.example/spoor", Secret: "/etc/spoor/webhook.secret"}}, Mail: []MailConfig{{Tenant: "local", Server: "smtp.agency.example:587", From: "spoor@agency.example", To: []string{"ann@agency.example"}, User: "spoor", Password: "/etc/spoor/mail.password"}}, Exec: []ExecConfig{{Tenant: "local", Command: []string{"/usr/local/bin/spoor-alert", "--now"}}}, REST: "127.0.0.1:8080", Metrics: "127.0.0.1:9091", Role: "investigator", MaxTraces: 8, MaxEvents: 1_000_000, TraceMegabytes: 2048, KeepTraces: 256, Rate: 200, AuditMegabytes: 64},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	raw, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	var shown map[string]any
	if err := yaml.Unmarshal(raw, &shown); err != nil {
		t.Fatal(err)
	}
	serve, _ := shown["serve"].(map[string]any)
	nodes, _ := shown["follow"].([]any)
	node, _ := nodes[0].(map[string]any)
	sources, _ := shown["sources"].([]any)
	source, _ := sources[0].(map[string]any)
	asked, _ := shown["fetch"].(map[string]any)
	for kind, keys := range map[reflect.Type]map[string]any{reflect.TypeFor[SourceConfig](): source, reflect.TypeFor[FetchConfig](): asked, reflect.TypeFor[Config](): shown, reflect.TypeFor[ServeConfig](): serve, reflect.TypeFor[NodeConfig](): node} {
		for i := range kind.NumField() {
			if key := kind.Field(i).Tag.Get("yaml"); !has(keys, key) {
				t.Errorf("%s does not show %q", example, key)
			}
		}
	}
}

func has(keys map[string]any, key string) bool {
	_, ok := keys[key]
	return ok
}

// TestOrder: a flag goes before the environment, and that before the settings.
func TestOrder(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "settings.yaml")
	if err := os.WriteFile(config, []byte("data: "+filepath.Join(dir, "of-settings")+"\noutput: csv\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"SPOOR_DATA", "SPOOR_SERVER", "SPOOR_CONFIG"} {
		t.Setenv(name, "")
	}
	missing := func(args ...string) string {
		_, errOut, _ := call(t, append([]string{"index", "status"}, args...)...)
		return errOut
	}
	if got := missing(); !strings.Contains(got, defaultData+" is no data directory") {
		t.Errorf("by default: %s", got)
	}
	t.Setenv("SPOOR_CONFIG", config)
	if got := missing(); !strings.Contains(got, "of-settings is no data directory") {
		t.Errorf("by the settings: %s", got)
	}
	t.Setenv("SPOOR_DATA", filepath.Join(dir, "of-environment"))
	if got := missing(); !strings.Contains(got, "of-environment is no data directory") {
		t.Errorf("by the environment: %s", got)
	}
	if got := missing("--data", filepath.Join(dir, "of-flag")); !strings.Contains(got, "of-flag is no data directory") {
		t.Errorf("by the flag: %s", got)
	}
	t.Setenv("SPOOR_SERVER", "127.0.0.1:1")
	if got := missing(); !strings.Contains(got, "connection") {
		t.Errorf("a server in the environment is not asked: %s", got)
	}
	if got := missing("--data", filepath.Join(dir, "of-flag")); !strings.Contains(got, "of-flag is no data directory") {
		t.Errorf("--data does not go before SPOOR_SERVER: %s", got)
	}
}

// A webhook whose address or secret will not do is refused by name.
func TestWebhookConfig(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", "a secret of some length\n", 0o600)
	for _, test := range []struct{ url, secret, want string }{
		{"https://example.com/hook", good, ""},
		{"http://127.0.0.1:8000/hook", good, ""},
		{"http://example.com/hook", good, "serve.webhooks.url"},
		{"example.com", good, "serve.webhooks.url"},
		{"https://example.com/hook", filepath.Join(dir, "none"), "serve.webhooks.secret"},
		{"https://example.com/hook", write("open", "a secret of some length", 0o644), "chmod 600"},
		{"https://example.com/hook", write("short", "short", 0o600), "16 characters"},
	} {
		c := Config{Serve: ServeConfig{Webhooks: []WebhookConfig{{URL: test.url, Secret: test.secret}}}}
		hooks, err := c.webhooks()
		if test.want == "" && (err != nil || len(hooks) != 1 || hooks[0].Tenant != "local" || string(hooks[0].Secret) != "a secret of some length") {
			t.Errorf("%s: %+v, %v", test.url, hooks, err)
		}
		if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s, %s: got %v, want it to name %s", test.url, test.secret, err, test.want)
		}
	}
}

// A mailbox or program that will not do is refused by name.
func TestNotifyConfig(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte("p\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := MailConfig{Server: "mail.example:587", From: "a@b.example", To: []string{"c@d.example"}, User: "u", Password: secret}
	for want, change := range map[string]func(*MailConfig){
		"":                    func(*MailConfig) {},
		"serve.mail.server":   func(m *MailConfig) { m.Server = "mail.example" },
		"serve.mail.to":       func(m *MailConfig) { m.To = nil },
		"from and to":         func(m *MailConfig) { m.To = []string{"c@d.example\r\nBcc: e@f.example"} },
		"serve.mail.password": func(m *MailConfig) { m.Password = secret + "-none" },
		"--ca":                func(m *MailConfig) { m.CA = secret + "-none" },
	} {
		m := good
		change(&m)
		c := Config{Serve: ServeConfig{Mail: []MailConfig{m}}}
		all, err := c.mails()
		if want == "" && (err != nil || len(all) != 1 || all[0].Tenant != "local" || all[0].Password != "p") {
			t.Errorf("%+v, %v", all, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want it to name %s", err, want)
		}
	}
	for _, command := range [][]string{nil, {"notify"}, {"./notify"}} {
		c := Config{Serve: ServeConfig{Exec: []ExecConfig{{Command: command}}}}
		if _, err := c.commands(); err == nil || !strings.Contains(err.Error(), "serve.exec.command") {
			t.Errorf("%v: %v", command, err)
		}
	}
}
