package cli

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"

	"stagecache/gateway/admin"
	"stagecache/gateway/config"
)

// openRemote opens admin.listen, where there is one, for those who can say who they are. inner is what the socket serves too.
func (s *Server) openRemote(cfg *config.Config, inner http.Handler) error {
	aws, err := controlPlane(cfg.DataDir, s.local, s.gateway.Config, s.log)
	if err != nil {
		return err
	}
	s.remote = admin.Server(admin.Handler(admin.Options{
		Inner: inner, Directory: s.gateway.Identity, Client: s.gateway.ClientAddr, Hosts: cfg.Admin.Hosts, Mounts: []admin.Mount{aws}, Logger: s.log,
	}), s.log)
	if cfg.Admin.Listen == "" {
		return nil
	}
	if err := s.cert.Load(cfg.Admin); err != nil {
		return err
	}
	secure := s.cert.Config()
	l, err := net.Listen("tcp", cfg.Admin.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return &hintedError{fmt.Errorf("cannot listen on %s: the port is in use by another process", cfg.Admin.Listen), "stop that process, or set admin.listen to another port"}
	}
	if err != nil {
		return &hintedError{fmt.Errorf("cannot listen on %s: %w", cfg.Admin.Listen, err), "set admin.listen to an address of this machine"}
	}
	s.adminURL = "http://" + l.Addr().String()
	if secure != nil {
		s.adminURL = "https://" + l.Addr().String()
		s.remote.TLSConfig = secure
		go s.remote.ServeTLS(l, "", "") // it ends with Shutdown or Close, and has nothing to say then
	} else {
		go s.remote.Serve(l)
	}
	s.log.Info("administration on " + s.adminURL)
	return nil
}

// AdminURL is where the gateway is administered over the network; empty where it is not.
func (s *Server) AdminURL() string { return s.adminURL }
