package mongotest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificates are PEM files of a set that asks for TLS.
type Certificates struct {
	// CA signed the server's certificate, and Client, which has its key with it. The server takes no other client.
	CA, Client string
	// OtherCA signed neither.
	OtherCA string
}

// URIOptions are the options of a connection string by which the set is reached.
func (c Certificates) URIOptions() string {
	return "tls=true&tlsCAFile=" + url.QueryEscape(c.CA) + "&tlsCertificateKeyFile=" + url.QueryEscape(c.Client)
}

// StartTLS starts a set of one that takes connections with TLS and a client's certificate only. It skips as Start does.
func StartTLS(t testing.TB) (*Cluster, Certificates) {
	t.Helper()
	path, err := find()
	if err != nil {
		missing(t, err)
	}
	dir := t.TempDir()
	certs := Certificates{CA: filepath.Join(dir, "ca.pem"), Client: filepath.Join(dir, "client.pem"), OtherCA: filepath.Join(dir, "other.pem")}
	server := filepath.Join(dir, "server.pem")
	if err := errorsOf(
		func() error {
			a, err := newAuthority(certs.CA)
			if err != nil {
				return err
			}
			if err := a.issue(server, "server"); err != nil {
				return err
			}
			return a.issue(certs.Client, "client")
		},
		func() error { _, err := newAuthority(certs.OtherCA); return err },
	); err != nil {
		t.Fatal(err)
	}
	c, err := startWith(path, dir, 1, certs.URIOptions(), "--tlsMode", "requireTLS", "--tlsCertificateKeyFile", server, "--tlsCAFile", certs.CA)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	return c, certs
}

// errorsOf runs functions until one fails.
func errorsOf(list ...func() error) error {
	for _, f := range list {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newAuthority makes an authority and writes its certificate.
func newAuthority(file string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: "authority of " + filepath.Base(file)}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{cert, key}, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
}

// issue writes a certificate of loopback with its key, good for servers and clients: mongod is a client of itself.
func (a *authority) issue(file, name string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{Organization: []string{"fhirgate"}, CommonName: name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return os.WriteFile(file, append(out, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...), 0o600)
}

func serial() *big.Int {
	n, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	return n
}
