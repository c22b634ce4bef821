package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeCertificate makes a certificate of its own authority for this machine, with a serial number, and writes it and its key.
func writeCertificate(t *testing.T, cert, key string, serial int64) *x509.Certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "fhirgate"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestTLS holds that the server speaks TLS and HTTP/2, knows itself by https, takes up a certificate that was renewed, and keeps the one it has where the
// files are broken.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	roots := x509.NewCertPool()
	roots.AddCert(writeCertificate(t, cert, key, 1))
	p := startServer(t, freshData(t), "--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(p.base, "https://127.0.0.1:") {
		t.Fatalf("it says that it is at %s", p.base)
	}
	// get reads the CapabilityStatement over a connection of its own.
	get := func() (serial int64, res *http.Response, body string) {
		t.Helper()
		c := &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true, DisableKeepAlives: true}}
		res, err := c.Get(p.base + "/metadata?_elements=implementation")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.TLS.PeerCertificates[0].SerialNumber.Int64(), res, string(b)
	}
	serial, res, body := get()
	if serial != 1 || res.StatusCode != http.StatusOK || res.ProtoMajor != 2 || res.Header.Get("Strict-Transport-Security") == "" || !strings.Contains(body, `"url":"`+p.base+`"`) {
		t.Errorf("certificate %d, %s %s, %v, %s", serial, res.Proto, res.Status, res.Header, body)
	}
	if _, err := tls.Dial("tcp", strings.TrimPrefix(p.root, "https://"), &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	roots.AddCert(writeCertificate(t, cert, key, 2))
	for end := time.Now().Add(patience); serial != 2; serial, _, _ = get() {
		if time.Now().After(end) {
			t.Fatal("the renewed certificate is not taken up")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := os.WriteFile(key, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); !strings.Contains(p.stderr.String(), "was not reloaded"); {
		if time.Now().After(end) {
			t.Fatalf("the broken key is not told of: %s", p.stderr)
		}
		if serial, _, _ := get(); serial != 2 {
			t.Fatalf("certificate %d", serial)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if status := p.stop(t); status != 0 {
		t.Errorf("status %d: %s", status, p.stderr)
	}
}

func TestTLSNeedsBothFiles(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--tls-cert", cert}, "belong together"},
		{[]string{"--tls-key", key}, "belong together"},
		{[]string{"--tls-cert", cert, "--tls-key", key}, "no such file"},
	} {
		if _, err := tryServer(t, freshData(t), c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.args, err)
		}
	}
}
