// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"drumbeat/interop/pipe"
)

// authority issues the certificates of a group.
type authority struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
	serial      int64
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a := &authority{key: key, serial: 1, certificate: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}}
	der, err := x509.CreateCertificate(rand.Reader, a.certificate, a.certificate, key.Public(), key)
	if err != nil {
		return nil, err
	}
	a.certificate, err = x509.ParseCertificate(der)
	return a, err
}

// issue writes a certificate for localhost, its key and the authority's certificate into a folder
// that belongs to `uid` (0: to us).
func (a *authority) issue(dir string, uid uint32) (*pipe.TLS, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a.serial++
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: "node"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.certificate, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	keyDer, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	files := &pipe.TLS{CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "node.pem"), Key: filepath.Join(dir, "node.key")}
	for _, f := range []struct {
		path, kind string
		der        []byte
	}{{files.CA, "CERTIFICATE", a.certificate.Raw}, {files.Cert, "CERTIFICATE", der}, {files.Key, "EC PRIVATE KEY", keyDer}} {
		text := pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.der})
		if err := os.WriteFile(f.path, text, 0o600); err != nil {
			return nil, err
		}
		if uid != 0 {
			if err := os.Chown(f.path, int(uid), int(uid)); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

// mutualTLS: the group speaks TLS; load, a restart and a snapshot pass. A node with a certificate
// of another authority stays outside.
func mutualTLS(r *run) {
	ours, err := newAuthority("ours")
	r.must(err)
	issuer := ours
	r.tls = func(n *node) *pipe.TLS {
		files, err := issuer.issue(filepath.Dir(n.dir), n.uid)
		r.must(err)
		return files
	}
	nodes := r.mixed()
	l := r.startLoad(4, nodes, nodes)
	l.progress(r.scaled(400))
	l.stop()
	s := r.openSession(shard, nodes[1])
	r.lateFollower(nodes, func(rest []*node) {
		for i := 0; i < 5; i++ {
			s.propose(rest[0], pipe.Fill("big", r.bigSnapshot()/8, 5))
		}
	})
	r.converge(shard, nodes)
	issuer, err = newAuthority("others")
	r.must(err)
	for _, kind := range []string{r.major, r.minor} {
		stranger := r.add(kind)
		r.change(nodes[0], pipe.Request{Cmd: "add_nonvoting", Replica: stranger.replica, Address: stranger.address},
			func(m *pipe.Membership) bool { return m.NonVotings[stranger.replica] != "" })
		r.join(stranger, "nonvoting")
		r.pause(8)
		if state := r.state(shard, stranger); state.Count != 0 {
			r.complain("node %v with a foreign certificate got %d entries", stranger, state.Count)
		}
	}
	s.propose(nodes[2], pipe.Put("after", "all"))
	r.converge(shard, nodes)
}
