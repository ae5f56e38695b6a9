package fuzz

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"stagecache/crypto"
)

// sealedStore is a stage key, a segment and its records that are the same in every process: the one that mutates inputs
// and those that try them have to agree on what may open.
type sealedStore struct {
	Plain             []byte // stage-key file
	Stage             string
	Header            []byte
	AAD, Text         string
	Record, Protected []byte
}

func openSealedStore(f *testing.F) (sealedStore, *crypto.StageKey, crypto.SegmentHeader) {
	data, err := os.ReadFile("../crypto/testdata/golden-v1.json")
	if err != nil {
		f.Fatal(err)
	}
	var g sealedStore
	if err := json.Unmarshal(data, &g); err != nil {
		f.Fatal(err)
	}
	s, _, err := crypto.OpenStageKey(g.Plain, g.Stage)
	if err != nil {
		f.Fatal(err)
	}
	h, err := crypto.ParseSegmentHeader(g.Header)
	if err != nil {
		f.Fatal(err)
	}
	return g, s, h
}

// FuzzSegmentHeader: what is read as a header is exactly what writing it gives, and it opens only if it is the one
// header that this stage key made. Each input is tried as it is and with a checksum that fits.
func FuzzSegmentHeader(f *testing.F) {
	_, s, made := openSealedStore(f)
	f.Add(made.Append(nil))
	other, _, err := crypto.NewStageKey("prod").NewSegment(1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(other.Append(nil))
	newer := other
	newer.Version = 2
	f.Add(newer.Append(nil))
	f.Add([]byte{})
	f.Add(make([]byte, crypto.SegmentHeaderSize))
	check := func(t *testing.T, data []byte) {
		h, err := crypto.ParseSegmentHeader(data)
		if err != nil {
			if !errors.Is(err, crypto.ErrDamaged) && !errors.Is(err, crypto.ErrFormatNewer) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if !bytes.Equal(h.Append(nil), data) {
			t.Fatalf("%x came back as %x", data, h.Append(nil))
		}
		var generation *crypto.GenerationError
		_, err = s.OpenSegment(h)
		if (h == made) != (err == nil) {
			t.Fatalf("%+v: the one that was made: %v, but %v", h, h == made, err)
		}
		if err != nil && !errors.Is(err, crypto.ErrCommitment) && !errors.Is(err, crypto.ErrEpoch) && !errors.As(err, &generation) {
			t.Fatalf("an error of no kind: %v", err)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, data)
		if len(data) == crypto.SegmentHeaderSize {
			const n = crypto.SegmentHeaderSize - 8
			sum := sha256.Sum256(data[:n])
			check(t, append(bytes.Clone(data[:n]), sum[:8]...))
		}
	})
}

// FuzzRecord: no bytes open but those that were sealed, with the same associated data, and what is sealed opens as itself.
func FuzzRecord(f *testing.F) {
	g, stage, h := openSealedStore(f)
	s, err := stage.OpenSegment(h)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(g.Record, []byte(g.AAD), uint16(0))
	f.Add(g.Protected, []byte(g.AAD), uint16(7))
	f.Add(g.Record[:len(g.Record)-1], []byte(g.AAD), uint16(8))
	f.Add([]byte(g.Text), []byte{}, uint16(65535))
	f.Add([]byte{}, []byte{}, uint16(100))
	f.Add(make([]byte, crypto.Overhead), []byte("aad"), uint16(100))
	known := [][]byte{g.Record, g.Protected}
	type kind struct {
		make, open func(dst, b, aad []byte) ([]byte, error)
	}
	kinds := []kind{{s.Seal, s.Open}, {s.Protect, s.Verify}}
	f.Fuzz(func(t *testing.T, data, aad []byte, flip uint16) {
		for i, k := range kinds {
			want, wantErr := "dst", crypto.ErrAuth
			if bytes.Equal(data, known[i]) && string(aad) == g.AAD {
				want, wantErr = "dst"+g.Text, nil
			}
			if got, err := k.open([]byte("dst"), data, aad); !errors.Is(err, wantErr) || string(got) != want {
				t.Fatalf("kind %d: %x: %q, %v; want %q, %v", i, data, got, err, want, wantErr)
			}
			record, err := k.make(nil, data, aad)
			if errors.Is(err, crypto.ErrSealLimit) {
				return // a long run has used up this segment's key
			}
			if err != nil || len(record) != len(data)+crypto.Overhead {
				t.Fatalf("kind %d: %d bytes, %v", i, len(record), err)
			}
			if got, err := k.open(nil, record, aad); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("kind %d: %x, %v", i, got, err)
			}
			if _, err := kinds[1-i].open(nil, record, aad); !errors.Is(err, crypto.ErrAuth) {
				t.Fatalf("kind %d passes for the other: %v", i, err)
			}
			record[int(flip/8)%len(record)] ^= 1 << (flip % 8)
			if _, err := k.open(nil, record, aad); !errors.Is(err, crypto.ErrAuth) {
				t.Fatalf("kind %d: bit %d flipped: %v", i, flip, err)
			}
		}
	})
}
