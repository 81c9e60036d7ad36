package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// Mail is where the alerts of watches that ask for it are mailed.
type Mail struct {
	Tenant string
	Server string // HOST:PORT; it must offer STARTTLS, but for one of this machine
	From   string
	To     []string
	// User and Password are for PLAIN; no user: none is sent.
	User, Password string
	Roots          *x509.CertPool // to trust the server by; nil: the system's
}

// Command is a program that is run for the alerts of watches that ask for it. The
// event comes as JSON on its standard input, and its id in SPOOR_EVENT_ID; an exit
// status other than 0 has it run again later.
type Command struct {
	Tenant string
	Args   []string // the program and its arguments
}

// How long a mail or a program may take (judgment).
const (
	mailTimeout    = 30 * time.Second
	commandTimeout = time.Minute
)

func (m *Mail) whose() string { return m.Tenant }
func (m *Mail) kind() string  { return "mail" }
func (m *Mail) name() string  { return "mailto:" + strings.Join(m.To, ",") }
func (m *Mail) all() bool     { return false }

func (m *Mail) tell(ctx context.Context, e *spoorv1.AlertEvent, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	host, _, err := net.SplitHostPort(m.Server)
	if err != nil {
		return err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", m.Server)
	if err != nil {
		return err
	}
	if until, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(until); err != nil {
			return errors.Join(err, conn.Close())
		}
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	defer c.Close()
	if err := m.greet(c, host); err != nil {
		return err
	}
	if err := c.Mail(m.From); err != nil {
		return err
	}
	for _, to := range m.To {
		if err := c.Rcpt(to); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(m.letter(e, body)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// greet turns to TLS, without which nothing is said beyond this machine, and says
// who we are.
func (m *Mail) greet(c *smtp.Client, host string) error {
	if offered, _ := c.Extension("STARTTLS"); offered {
		if err := c.StartTLS(&tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, RootCAs: m.Roots}); err != nil {
			return err
		}
	} else if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s offers no STARTTLS", m.Server)
	}
	if m.User == "" {
		return nil
	}
	return c.Auth(smtp.PlainAuth("", m.User, m.Password, host))
}

// letter is the mail: what happened in words, and the event as JSON below.
func (m *Mail) letter(e *spoorv1.AlertEvent, body []byte) []byte {
	a := e.GetAlert()
	subject := oneLine(fmt.Sprintf("Spoor: %s %s", a.GetType(), a.GetCase()+a.GetTrace()+a.GetAddress()))
	if a.GetCase()+a.GetTrace() != "" {
		subject = oneLine(fmt.Sprintf("Spoor: %s %s", a.GetType(), a.GetCase()+a.GetTrace()))
	}
	var b bytes.Buffer
	for _, line := range []string{
		"From: " + oneLine(m.From), "To: " + oneLine(strings.Join(m.To, ", ")), "Subject: " + mime.QEncoding.Encode("utf-8", subject),
		"Date: " + e.GetTime().AsTime().UTC().Format(time.RFC1123Z), "Message-ID: <" + oneLine(e.GetEventId()) + "@spoor>",
		"MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: quoted-printable", "",
	} {
		b.WriteString(line + "\r\n")
	}
	w := quotedprintable.NewWriter(&b)
	_, _ = fmt.Fprintf(w, "%s %s\r\n\r\n%s\r\n\r\nThe event, as webhooks have it:\r\n%s\r\n", a.GetLevel(), a.GetFinality(), a.GetMessage(), body)
	_ = w.Close() // into memory
	return b.Bytes()
}

// oneLine keeps words from becoming headers.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

func (c *Command) whose() string { return c.Tenant }
func (c *Command) kind() string  { return "exec" }
func (c *Command) name() string  { return "exec:" + strings.Join(c.Args, "\x00") }
func (c *Command) all() bool     { return false }

func (c *Command) tell(ctx context.Context, e *spoorv1.AlertEvent, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...) //nolint:gosec // the operator names it
	cmd.Stdin, cmd.Env, cmd.WaitDelay = bytes.NewReader(body), append(os.Environ(), "SPOOR_EVENT_ID="+e.GetEventId()), time.Second
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %.200q", c.Args[0], err, said)
	}
	return nil
}

// outlets are all whom the settings name.
func (s *Server) outlets(now func() time.Time) (all []outlet) {
	for _, w := range s.cfg.Webhooks {
		all = append(all, newHook(w, now))
	}
	for i := range s.cfg.Mails {
		all = append(all, &s.cfg.Mails[i])
	}
	for i := range s.cfg.Commands {
		all = append(all, &s.cfg.Commands[i])
	}
	return all
}

// reachable refuses somebody to tell whom the settings do not name.
func (s *screenService) reachable(tenant string, kinds []string) error {
	for _, kind := range kinds {
		if !slices.ContainsFunc(s.outlets, func(o outlet) bool { return o.whose() == tenant && o.kind() == kind }) {
			return ledger.Invalid("notify", "what the operator's settings name for "+tenant+" (under serve: webhooks, mail, exec)", kind)
		}
	}
	return nil
}
