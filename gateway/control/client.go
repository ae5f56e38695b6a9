package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// How long the client waits. An answer to a ping needs no work, so its absence tells that nobody is there; other answers
// may take as long as a disk that is slow to sync.
const (
	pingTimeout   = 3 * time.Second
	answerTimeout = 60 * time.Second
)

// maxAnswer bounds what the client reads into memory.
const maxAnswer = 64 << 20

// Client is the Service of a running gateway, over its unix socket or the network.
type Client struct {
	place string // for messages: the socket's path, or the URL
	base  string // before the paths of requests
	token string // empty on the socket
	http  *http.Client
}

var _ Service = (*Client)(nil)

// NewClient does not connect yet.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &Client{place: socket, base: "http://localhost", http: &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConns: 1}}}
}

// Close gives idle connections back.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// Ping asks whether anybody answers; if not, the error is an *UnreachableError.
func (c *Client) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return c.do(ctx, http.MethodGet, "/healthz", nil, nil)
}

// Reload makes the gateway read its configuration again.
func (c *Client) Reload(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/v1/reload", nil, nil)
}

// Stats implements Service.
func (c *Client) Stats(ctx context.Context, stage string) (s Stats, err error) {
	err = c.atStage(ctx, http.MethodGet, stage, "/stats", nil, &s)
	return s, err
}

// AllStats implements Service.
func (c *Client) AllStats(ctx context.Context) ([]Stats, error) {
	var l StatsList
	err := c.call(ctx, http.MethodGet, "/v1/stats", nil, &l)
	return l.Stages, err
}

// Flush implements Service.
func (c *Client) Flush(ctx context.Context, stage string) (r FlushResult, err error) {
	err = c.atStage(ctx, http.MethodPost, stage, "/flush", nil, &r)
	return r, err
}

// Purge implements Service.
func (c *Client) Purge(ctx context.Context, stage string, p PurgeRequest) (r PurgeResult, err error) {
	err = c.atStage(ctx, http.MethodPost, stage, "/purge", p, &r)
	return r, err
}

// Stages implements Service.
func (c *Client) Stages(ctx context.Context) ([]StageInfo, error) {
	var l stageList
	err := c.call(ctx, http.MethodGet, "/v1/stages", nil, &l)
	return l.Stages, err
}

// Stage implements Service.
func (c *Client) Stage(ctx context.Context, name string) (d StageDetail, err error) {
	err = c.atStage(ctx, http.MethodGet, name, "", nil, &d)
	return d, err
}

// SetStage implements Service.
func (c *Client) SetStage(ctx context.Context, name string, r SetRequest) (d StageDetail, err error) {
	err = c.atStage(ctx, http.MethodPatch, name, "", r, &d)
	return d, err
}

// RemoveStage implements Service.
func (c *Client) RemoveStage(ctx context.Context, name string) (r RemoveResult, err error) {
	err = c.atStage(ctx, http.MethodDelete, name, "", nil, &r)
	return r, err
}

// atStage asks about one stage.
func (c *Client) atStage(ctx context.Context, method, stage, what string, body, into any) error {
	path, err := stagePath(stage)
	if err != nil {
		return err
	}
	return c.call(ctx, method, path+what, body, into)
}

// stagePath refuses the names that would lead to another path; no stage can have them.
func stagePath(stage string) (string, error) {
	switch stage {
	case "", ".", "..":
		return "", &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("there is no stage %q", stage)}
	}
	return "/v1/stages/" + url.PathEscape(stage), nil
}

// call is do with the usual bound on time.
func (c *Client) call(ctx context.Context, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return c.do(ctx, method, path, body, into)
}

func (c *Client) do(ctx context.Context, method, path string, body, into any) error {
	resp, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return c.unreachable(err)
	}
	if resp.StatusCode != http.StatusOK {
		return apiError(resp.StatusCode, b)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("the answer of the gateway at %s is not what was expected: %w", c.place, err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, r)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	return resp, nil
}

// unreachable tells a gateway that is not there from a caller that gave up.
func (c *Client) unreachable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	return &UnreachableError{
		Message:  "no answer from a gateway at " + c.place,
		HintText: c.hintFor(err),
		Err:      err,
	}
}

// apiError is the refusal that the gateway sent.
func apiError(status int, body []byte) error {
	var m errorBody
	if json.Unmarshal(body, &m) != nil || m.Message == "" {
		m.Message = fmt.Sprintf("the gateway answered %d %s", status, http.StatusText(status))
		if bytes.Contains(body, []byte("HTTP request to an HTTPS server")) { // net/http's words
			m.Hint = "its admin.listen has TLS: write https://"
		}
	}
	return &Error{Status: status, Message: m.Message, HintText: m.Hint}
}
