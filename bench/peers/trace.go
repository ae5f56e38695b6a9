package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ulikunitz/xz"
)

// trace is a recorded sequence of requests. Its keys are numbered in the order in which they occur first.
type trace struct {
	name     string
	keys     []uint32
	distinct int
}

// madeRequests is how long a trace of our making is.
const madeRequests = 300_000

// makeTrace makes requests up, as those of an API are known to be: a few keys are asked for most (Zipf), some of which are
// replaced by others as time goes by, and three in ten requests are for what nobody asks for again.
func makeTrace(requests int) *trace {
	const popular = 40_009
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.1, 10, popular-1)
	keys := make([]uint32, requests)
	for i := range keys {
		key := uint32(zipf.Uint64() * 7919 % popular)
		if key < uint32(i/50) {
			key += popular
		}
		if r.IntN(10) < 3 {
			key = 2*popular + uint32(i)
		}
		keys[i] = key
	}
	return numbered("made up", keys)
}

// numbered numbers the keys in the order in which they occur first.
func numbered(name string, keys []uint32) *trace {
	seen := make(map[uint32]uint32)
	for i, k := range keys {
		number, ok := seen[k]
		if !ok {
			number = uint32(len(seen))
			seen[k] = number
		}
		keys[i] = number
	}
	return &trace{name: name, keys: keys, distinct: len(seen)}
}

// readTraces reads every *.trace.xz and *.trace in dir, by name.
func readTraces(dir string) ([]*trace, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.trace*"))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var out []*trace
	for _, name := range names {
		if !strings.HasSuffix(name, ".trace") && !strings.HasSuffix(name, ".trace.xz") {
			continue
		}
		t, err := readTrace(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, t)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no *.trace.xz and no *.trace in %q", dir)
	}
	return out, nil
}

func readTrace(name string) (*trace, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	base := strings.TrimSuffix(filepath.Base(name), ".xz")
	if base != filepath.Base(name) {
		if r, err = xz.NewReader(f); err != nil {
			return nil, err
		}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	keys, err := parseTrace(b)
	if err != nil {
		return nil, err
	}
	return numbered(strings.TrimSuffix(base, ".trace"), keys), nil
}

// parseTrace reads big-endian 32-bit keys.
func parseTrace(b []byte) ([]uint32, error) {
	if len(b) == 0 || len(b)%4 != 0 {
		return nil, fmt.Errorf("%d bytes are no sequence of 32-bit keys", len(b))
	}
	keys := make([]uint32, 0, len(b)/4)
	for ; len(b) > 0; b = b[4:] {
		keys = append(keys, binary.BigEndian.Uint32(b))
	}
	return keys, nil
}
