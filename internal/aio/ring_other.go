//go:build !linux

package aio

import "errors"

// Direct opens a file for reads past the page cache. 0: there are none here.
const Direct = 0

// ring is not to be had here.
type ring struct{}

func newRing() (*ring, error) { return nil, errors.ErrUnsupported }

func (*ring) read(int, []byte, int64) (int, error) { return 0, errors.ErrUnsupported }

func (*ring) comeBy() {}

func (*ring) close() {}

// readCached leaves everything to a plain read.
func readCached(int, []byte, int64) (n int, wait bool) { return 0, true }
