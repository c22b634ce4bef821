package mongodb_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

func TestConnectionsWithTLS(t *testing.T) {
	c, certs := mongotest.StartTLS(t)
	s := openURI(t, c.URI("fhir")+"&"+certs.URIOptions())
	if err := put(t.Context(), s, "a", 0); err != nil {
		t.Fatal(err)
	}
	withPassword := strings.Replace(c.URI("fhir")+"&serverSelectionTimeoutMS=2000&", "mongodb://", "mongodb://gate:s3cret@", 1)
	for _, c := range []struct{ name, options, want string }{
		{"another authority", "tls=true&tlsCAFile=" + url.QueryEscape(certs.OtherCA) + "&tlsCertificateKeyFile=" + url.QueryEscape(certs.Client), "unknown authority"},
		{"no certificate of the client", "tls=true&tlsCAFile=" + url.QueryEscape(certs.CA), "it may want a client certificate"},
		{"no TLS", "tls=false", "it may want TLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := mongodb.Open(t.Context(), mongodb.Options{URI: withPassword + c.options, Timeout: 2 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
				err := s.Ready(t.Context())
				if err == nil || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "\n") {
					t.Fatalf("Ready: %v", err)
				}
				if strings.Contains(err.Error(), c.want) {
					return
				}
				if time.Now().After(end) {
					t.Fatalf("%q does not say %q", err, c.want)
				}
			}
		})
	}
}
