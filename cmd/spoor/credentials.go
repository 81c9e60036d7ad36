package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc"

	"github.com/spoortrace/spoor/ledger"
)

// apiKey goes with every call to a server that was named. Whether the way there
// is safe is settled where the connection is made.
type apiKey string

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (k apiKey) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(k)}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (apiKey) RequireTransportSecurity() bool { return false }

// keyOption reads the key from the file that was named, else from SPOOR_KEY. It
// is no flag of its own: others see the arguments of a process.
func (a *app) keyOption() ([]grpc.DialOption, error) {
	text := os.Getenv("SPOOR_KEY")
	if name := a.keyFile; name != "" {
		info, err := os.Stat(name)
		if err != nil {
			return nil, &usageError{fmt.Errorf("--key-file: %w", err)}
		}
		if info.Mode().Perm()&0o007 != 0 {
			return nil, &hintedError{ledger.Invalid("--key-file", "a file that others cannot read", fmt.Sprintf("%s with mode %04o", name, info.Mode().Perm())), "chmod 600 " + name}
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, &usageError{fmt.Errorf("--key-file: %w", err)}
		}
		text = string(raw)
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, ledger.Invalid("key", "one word, spoor_ID_SECRET", "something else")
	}
	return []grpc.DialOption{grpc.WithPerRPCCredentials(apiKey(text))}, nil
}
