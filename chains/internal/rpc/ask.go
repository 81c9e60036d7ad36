package rpc

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// Ask puts a question to an API below the URL, with the client's parameters
// added: a GET, or a POST of the body where there is one. What comes with status
// 200, 400 or 404 is read by read; a fault of its that may pass is tried again
// like any other. The subject names the question in errors.
func (c *Client) Ask(ctx context.Context, subject, path, body string, read func(status int, body []byte) error) error {
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	return c.retry(ctx, func() (time.Duration, error) {
		if err := c.pace(ctx, 1); err != nil {
			return 0, err
		}
		reply, err := c.exchange(ctx, subject, method, c.address(path), []byte(body), c.o.MaxBody)
		if err != nil {
			return 0, err
		}
		switch reply.status {
		case http.StatusOK, http.StatusBadRequest, http.StatusNotFound:
			return reply.after, read(reply.status, reply.body)
		}
		return reply.after, reply.refused(subject)
	})
}

// address is the URL of a path below the client's own.
func (c *Client) address(path string) string {
	all := strings.TrimSuffix(c.url.String(), "/") + path
	if len(c.query) == 0 {
		return all
	}
	if strings.Contains(path, "?") {
		return all + "&" + c.query.Encode()
	}
	return all + "?" + c.query.Encode()
}
