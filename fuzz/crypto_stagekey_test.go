package fuzz

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"stagecache/crypto"
)

// fuzzRoot is the same in every process: the engine that mutates and the one that checks must agree on it.
const fuzzRoot = "stagecache-root-key-v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8nKo04"

// FuzzStageKey: contents that open in the clear are exactly what sealing them gives; contents that open under a root key
// open again, sealed anew; every error is one of those promised. Each input is tried as it is and with a checksum
// that fits, for else nothing would get past it.
func FuzzStageKey(f *testing.F) {
	root, err := crypto.ParseRootKey(fuzzRoot)
	if err != nil {
		f.Fatal(err)
	}
	for _, rotations := range []int{0, 1, 5} {
		for _, stage := range []string{"prod", "", strings.Repeat("s", crypto.MaxStageName)} {
			for _, by := range []*crypto.RootKey{nil, root, crypto.NewRootKey()} {
				s := crypto.NewStageKey(stage)
				for range rotations {
					s.Rotate()
				}
				data, err := crypto.SealStageKey(by, s)
				if err != nil {
					f.Fatal(err)
				}
				f.Add(data, stage)
			}
		}
	}
	golden, _, _ := openSealedStore(f)
	f.Add(golden.Plain, golden.Stage)
	f.Add([]byte{}, "")
	f.Add(make([]byte, 300), "prod")
	f.Fuzz(func(t *testing.T, data []byte, stage string) {
		checkStageKey(t, data, stage, root)
		if n := len(data) - sha256.Size; n >= 0 {
			sum := sha256.Sum256(data[:n])
			checkStageKey(t, append(bytes.Clone(data[:n]), sum[:]...), stage, root)
		}
	})
}

func checkStageKey(t *testing.T, data []byte, stage string, root *crypto.RootKey) {
	for _, roots := range [][]*crypto.RootKey{nil, {root}} {
		s, by, err := crypto.OpenStageKey(data, stage, roots...)
		if err != nil {
			var wrong *crypto.WrongKeyError
			var plain *crypto.PlainKeyError
			var name *crypto.StageNameError
			if !errors.Is(err, crypto.ErrDamaged) && !errors.Is(err, crypto.ErrFormatNewer) && !errors.As(err, &wrong) && !errors.As(err, &plain) && !errors.As(err, &name) {
				t.Fatalf("an error of no kind: %v", err)
			}
			if s != nil {
				t.Fatal("a stage key and an error")
			}
			continue
		}
		if s.Stage() != stage || s.Epoch() == 0 {
			t.Fatalf("opened as %v", s)
		}
		sealed, err := crypto.SealStageKey(by, s)
		if err != nil {
			t.Fatal(err)
		}
		if by == nil && !bytes.Equal(sealed, data) {
			t.Fatalf("in the clear, %x came back as %x", data, sealed)
		}
		again, _, err := crypto.OpenStageKey(sealed, stage, roots...)
		if err != nil {
			t.Fatal(err)
		}
		a, errA := crypto.SealStageKey(nil, s)
		b, errB := crypto.SealStageKey(nil, again)
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Fatalf("the keys changed (%v, %v)", errA, errB)
		}
	}
}
