package gateway

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pair is a conn over a pipe in memory, and the pipe's other end.
func pair(t *testing.T) (*conn, net.Conn) {
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	return &conn{Conn: near, crowd: newCrowd(0)}, far
}

// A deadline that was moved is met when it was moved to, whatever had been set before; and never when it was taken away.
func TestDeadlinesAreMetWhenTheyAreWanted(t *testing.T) {
	for _, c := range []struct {
		name  string
		moves []time.Duration // one per second; 0: none
		want  time.Duration   // after the last move; 0: never
	}{
		{"once", []time.Duration{5 * time.Second}, 5 * time.Second},
		{"later and later", []time.Duration{5 * time.Second, 5 * time.Second, 5 * time.Second, 7 * time.Second}, 7 * time.Second},
		{"earlier", []time.Duration{time.Hour, 5 * time.Second}, 5 * time.Second},
		{"taken away", []time.Duration{5 * time.Second, 0}, 0},
		{"taken away and back", []time.Duration{5 * time.Second, 0, 3 * time.Second}, 3 * time.Second},
	} {
		for _, write := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				conn, far := pair(t)
				set, call := conn.SetReadDeadline, conn.Read
				if write {
					set, call = conn.SetWriteDeadline, conn.Write
				}
				for i, move := range c.moves {
					if i > 0 {
						time.Sleep(time.Second)
					}
					var at time.Time
					if move > 0 {
						at = time.Now().Add(move)
					}
					if err := set(at); err != nil {
						t.Fatal(err)
					}
					// A call that comes back at once, so that what is set at the connection is what was asked for then.
					done := make(chan error, 1)
					go func() {
						if write {
							_, err := io.ReadFull(far, make([]byte, 1))
							done <- err
						} else {
							_, err := far.Write([]byte("x"))
							done <- err
						}
					}()
					if n, err := call(make([]byte, 1)); n != 1 || err != nil || <-done != nil {
						t.Fatalf("%s: %d, %v", c.name, n, err)
					}
				}
				begun := time.Now()
				if c.want == 0 {
					time.AfterFunc(time.Minute, func() { far.Close() })
				}
				_, err := call(make([]byte, 1))
				if took := time.Since(begun); c.want != 0 && (took != c.want || !errors.Is(err, os.ErrDeadlineExceeded)) ||
					c.want == 0 && (took != time.Minute || errors.Is(err, os.ErrDeadlineExceeded)) {
					t.Errorf("%s, write %t: %v after %v, want %v", c.name, write, err, took, c.want)
				}
			})
		}
	}
}

// net/http ends a read that waits by a deadline long ago, and reads on later.
func TestAWaitingReadIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far := pair(t)
		c.SetReadDeadline(time.Now().Add(time.Hour))
		for range 3 {
			done := make(chan error, 1)
			go func() {
				_, err := c.Read(make([]byte, 1))
				done <- err
			}()
			synctest.Wait()
			if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
			if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("the read ended with %v", err)
			}
			c.SetReadDeadline(time.Time{})
			go far.Write([]byte("x"))
			if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
				t.Fatalf("the next read: %d, %v", n, err)
			}
		}
	})
}

// A write that was cut by a deadline that is no longer wanted goes on where it was, held or not.
func TestAWriteGoesOnAfterAPassedDeadline(t *testing.T) {
	for _, hold := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, far := pair(t)
			c.SetWriteDeadline(time.Now().Add(5 * time.Second))
			var got bytes.Buffer
			done := make(chan struct{})
			go func() {
				defer close(done)
				b := make([]byte, 100)
				for {
					time.Sleep(time.Second)
					n, err := far.Read(b)
					got.Write(b[:n])
					if err != nil {
						return
					}
				}
			}()
			time.AfterFunc(2*time.Second, func() { c.SetWriteDeadline(time.Now().Add(time.Hour)) })
			head, body := strings.Repeat("h", 350), strings.Repeat("b", 2000)
			if hold {
				c.hold()
			}
			for _, part := range []string{head, body} {
				if n, err := c.Write([]byte(part)); n != len(part) || err != nil {
					t.Fatalf("%d of %d, %v", n, len(part), err)
				}
			}
			if err := c.release(); err != nil {
				t.Fatal(err)
			}
			c.Close()
			<-done
			if got.String() != head+body {
				t.Errorf("%d bytes arrived, want %d", got.Len(), len(head+body))
			}
		})
	}
}

func TestHeldBytesLeaveWithRelease(t *testing.T) {
	c, far := pair(t)
	c.hold()
	if n, err := c.Write([]byte("head")); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	got := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(far)
		got <- string(b)
	}()
	if err := c.release(); err != nil {
		t.Fatal(err)
	}
	c.Write([]byte(" and body"))
	c.Close()
	if text := <-got; text != "head and body" {
		t.Errorf("got %q", text)
	}
}
