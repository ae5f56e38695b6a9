package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestLargeIsStreamed(t *testing.T) {
	server := httptest.NewServer(shared())
	defer server.Close()
	resp, err := http.Get(server.URL + "/large")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.ContentLength != -1 {
		t.Errorf("the length was told beforehand: %d", resp.ContentLength)
	}
	if len(body) < LargeSize || len(body) > LargeSize+2000 {
		t.Errorf("%d bytes, want %d or a little more", len(body), LargeSize)
	}
	for i, line := range bytes.Split(bytes.TrimSpace(body), []byte("\n")) {
		if !json.Valid(line) {
			t.Fatalf("row %d is not JSON: %s", i+1, line)
		}
	}
	if w := do(t, shared(), http.MethodHead, "/large", ""); w.Code != 200 || w.Body.Len() != 0 {
		t.Errorf("HEAD: %d with %d bytes", w.Code, w.Body.Len())
	}
}

// A stream that ends early must not look whole.
func TestLargeIsCutWhereItCannotGoOn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("the handler ended with %v, want ErrAbortHandler", err)
		}
	}()
	shared().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/large", nil).WithContext(ctx))
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Products: 10, MinLatency: 20 * time.Millisecond, MaxLatency: 80 * time.Millisecond})
		var all []time.Duration
		for range 50 {
			start := time.Now()
			if w := get(t, s, "/products/1"); w.Code != http.StatusOK {
				t.Fatal(w.Code)
			}
			all = append(all, time.Since(start))
		}
		if low, high := slices.Min(all), slices.Max(all); low < 20*time.Millisecond || high > 80*time.Millisecond || low == high {
			t.Errorf("answers took %v to %v, want 20ms to 80ms", low, high)
		}
		start := time.Now()
		get(t, s, "/slow?ms=1500")
		if took := time.Since(start); took != 1500*time.Millisecond {
			t.Errorf("/slow?ms=1500 took %v", took)
		}
		start = time.Now()
		get(t, s, "/health")
		if took := time.Since(start); took != 0 {
			t.Errorf("/health took %v", took)
		}
	})
}

func TestACancelledRequestIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Products: 10, MinLatency: time.Hour})
		for _, target := range []string{"/slow?ms=10000", "/products/1"} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			w, start := httptest.NewRecorder(), time.Now()
			s.ServeHTTP(w, httptest.NewRequest("GET", target, nil).WithContext(ctx))
			if took := time.Since(start); took != time.Second {
				t.Errorf("GET %s went on for %v after its context had ended", target, took-time.Second)
			}
			if w.Code != http.StatusServiceUnavailable {
				t.Errorf("GET %s: an interrupted request looks like %d", target, w.Code)
			}
			cancel()
		}
	})
}

func TestRequestsAreCounted(t *testing.T) {
	s := New(Options{Products: 50})
	for _, target := range []string{"/products/42", "/products/42?x=1", "/nothing", "/health"} {
		get(t, s, target)
	}
	if s.Requests() != 4 || s.RequestsTo("/products/42") != 2 || s.RequestsTo("/nothing") != 1 || s.RequestsTo("/products/1") != 0 {
		t.Errorf("%d in all, %d for product 42", s.Requests(), s.RequestsTo("/products/42"))
	}
	for i := range maxPaths + 100 {
		s.count(fmt.Sprintf("/scan/%d", i))
	}
	if len(s.paths) != maxPaths {
		t.Errorf("%d paths are remembered, want at most %d", len(s.paths), maxPaths)
	}
	if s.Requests() != 4+maxPaths+100 {
		t.Errorf("%d requests counted", s.Requests())
	}
}

func TestConcurrentUse(t *testing.T) {
	s := New(Options{Products: 50})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				get(t, s, []string{"/products/42", "/categories", "/cart", "/products?page=2"}[(i+j)%4])
			}
		})
	}
	wg.Wait()
	if s.Requests() != 160 {
		t.Errorf("%d requests counted, want 160", s.Requests())
	}
}
