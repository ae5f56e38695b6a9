package gateway

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func withConnections(n int) option { return func(_ *rig, o *Options) { o.Connections = n } }

// keptConn is a client that keeps its connection.
type keptConn struct {
	net.Conn
	r *bufio.Reader
}

func (r *rig) kept() *keptConn { c := r.conn(); return &keptConn{c, bufio.NewReader(c)} }

func (c *keptConn) ask(path string) { go io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n") }

func (c *keptConn) answered(t *testing.T) {
	t.Helper()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Errorf("no answer: %v", err)
		return
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
		t.Errorf("status %d, %v", resp.StatusCode, err)
	}
}

func (c *keptConn) get(t *testing.T, path string) { t.Helper(); c.ask(path); c.answered(t) }

// closed tells whether the gateway has closed it.
func (c *keptConn) closed() bool {
	synctest.Wait()
	_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := c.r.ReadByte()
	return err == io.EOF
}

// Who has waited for longest without asking for anything makes room, and never one who is being answered.
func TestWhoIsIdleLongestMakesRoom(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		slow := make(chan struct{})
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
			if q.URL.Path == "/slow" {
				<-slow
			}
			io.WriteString(w, "x")
		})
		half := r.kept()
		go io.WriteString(half, "GET /prod/x HTTP/1.1\r\n")
		time.Sleep(time.Second)
		first, busy, lane := r.kept(), r.kept(), r.kept()
		first.get(t, "/prod/x")
		time.Sleep(time.Second)
		busy.ask("/prod/slow")
		lane.get(t, "/prod/x")
		time.Sleep(time.Second)
		lane.get(t, "/prod/x") // a hit that net/http does not learn of

		// half has been there since the beginning and asked for nothing; first has been idle for two seconds, lane for none.
		for i, next := range []*keptConn{half, first, lane} {
			time.Sleep(time.Second)
			r.kept().get(t, "/prod/x")
			if !next.closed() {
				t.Errorf("after newcomer %d the one idle for longest is still there", i+1)
			}
			time.Sleep(time.Second)
		}
		close(slow)
		busy.answered(t)
	}, withConnections(4))
}

// Where everybody is being answered, a newcomer waits.
func TestANewcomerWaitsForRoom(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		slow := make(chan struct{})
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) { <-slow; io.WriteString(w, "x") })
		busy := r.kept()
		busy.ask("/prod/slow")
		synctest.Wait()
		came, answered := r.kept(), make(chan struct{})
		go func() { defer close(answered); came.get(t, "/prod/x") }()
		select {
		case <-answered:
			t.Fatal("there is one connection too many")
		case <-time.After(time.Second):
		}
		close(slow)
		busy.answered(t)
		<-answered
		if !busy.closed() {
			t.Error("the one that has its answer did not make room")
		}
	}, withConnections(1))
}

func TestClientDescriptors(t *testing.T) {
	for n, want := range map[int]int{16: 8, 64: 32, 128: 64, 256: 192, 1024: 768, 1 << 20: 1<<20 - 1<<18} {
		if got := clientDescriptors(n); got != want {
			t.Errorf("of %d: %d, want %d", n, got, want)
		}
	}
}
