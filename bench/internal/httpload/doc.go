// Package httpload is a client that costs little: requests that were written beforehand over keep-alive connections, and just
// as much reading of the answers as is needed to find the next one. It is no judge of HTTP: it wants answers of status
// 200 with a Content-Length, and everything else is an error.
package httpload
