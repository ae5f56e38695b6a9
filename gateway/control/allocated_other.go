//go:build !unix

package control

import "io/fs"

func allocated(fi fs.FileInfo) int64 { return fi.Size() }
