package load

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// bigFile is the size of the inputs of the memory tests, memoryBound what the loader and the server of the test may hold while it loads them.
const (
	bigFile     = 200 << 20
	memoryBound = 80 << 20
)

// swallow is a server that reads bodies without keeping them and responses as many entries as it met requests.
func swallow(t *testing.T) (base string, received *atomic.Int64) {
	received = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entries, buf, tail := 0, make([]byte, 64<<10), []byte(nil)
		for {
			n, err := r.Body.Read(buf)
			received.Add(int64(n))
			chunk := append(tail, buf[:n]...)
			entries += bytes.Count(chunk, []byte(`"request":{`))
			tail = append([]byte(nil), chunk[max(0, len(chunk)-len(`"request":{`)+1):]...)
			if err != nil {
				break
			}
		}
		if r.URL.Path != "/fhir" {
			return
		}
		_, _ = io.WriteString(w, `{"resourceType":"Bundle","entry":[`+
			strings.TrimSuffix(strings.Repeat(`{"response":{"status":"200 OK"}},`, entries), ",")+`]}`)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/fhir", received
}

// repeated reads head, then items joined by sep up to some size, then tail, without holding them.
func repeated(head, sep, tail string, size int, item func(i int) string) io.Reader {
	pr, pw := io.Pipe()
	go func() {
		n, i := 0, 0
		var b bytes.Buffer
		b.WriteString(head)
		for n < size {
			if i > 0 {
				b.WriteString(sep)
			}
			b.WriteString(item(i))
			i++
			if b.Len() > 1<<20 {
				n += b.Len()
				if _, err := pw.Write(b.Bytes()); err != nil {
					return
				}
				b.Reset()
			}
		}
		b.WriteString(tail)
		_, _ = pw.Write(b.Bytes())
		_ = pw.Close()
	}()
	return pr
}

// live returns how many bytes of the heap are in use: what is garbage, and how much of it there is when, is the machine's affair.
func live() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// bounded runs the load and fails if more than the bound is in use meanwhile.
func bounded(t *testing.T, o Options) *Summary {
	t.Helper()
	before := live()
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var top uint64
		for {
			select {
			case <-stop:
				peak <- top
				return
			case <-time.After(50 * time.Millisecond):
				top = max(top, live())
			}
		}
	}()
	s, err := Run(t.Context(), o)
	close(stop)
	top := <-peak
	if err != nil {
		t.Fatal(err)
	}
	if grown := int64(top) - int64(before); grown > memoryBound {
		t.Errorf("the heap grew by %d MB for an input of %d MB", grown>>20, bigFile>>20)
	}
	t.Logf("%d resources in %v, heap up to %d MB", s.Resources, s.Elapsed.Round(time.Millisecond), top>>20)
	return s
}

func TestMemoryIsBoundedByTheChunk(t *testing.T) {
	if testing.Short() {
		t.Skip("loads inputs of 200 MB")
	}
	fill := strings.Repeat("x", 3000)
	resource := func(i int) string {
		return fmt.Sprintf(`{"resourceType":"Observation","id":"o%d","note":[{"text":"%s"}]}`, i, fill)
	}
	t.Run("NDJSON on standard input", func(t *testing.T) {
		base, _ := swallow(t)
		s := bounded(t, Options{Server: base, Files: []string{"-"}, Stdin: repeated("", "\n", "\n", bigFile, resource)})
		if s.Resources < bigFile/3200 {
			t.Fatalf("%d resources", s.Resources)
		}
	})
	toFile := func(t *testing.T, r io.Reader) string {
		f, err := os.Create(filepath.Join(t.TempDir(), "big.json"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(f, r); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		return f.Name()
	}
	t.Run("a collection in a file", func(t *testing.T) {
		base, _ := swallow(t)
		name := toFile(t, repeated(`{"resourceType":"Bundle","type":"collection","entry":[`, ",", "]}", bigFile, func(i int) string {
			return fmt.Sprintf(`{"fullUrl":"urn:uuid:00000000-0000-4000-8000-%012d","resource":%s}`, i, resource(i))
		}))
		if s := bounded(t, Options{Server: base, Files: []string{name}}); s.Resources < bigFile/3300 {
			t.Fatalf("%d resources", s.Resources)
		}
	})
	t.Run("a transaction in a file", func(t *testing.T) {
		base, received := swallow(t)
		name := toFile(t, repeated(`{"resourceType":"Bundle","type":"transaction","entry":[`, ",", "]}", bigFile, func(i int) string {
			return fmt.Sprintf(`{"resource":%s,"request":{"method":"PUT","url":"Observation/o%d"}}`, resource(i), i)
		}))
		s := bounded(t, Options{Server: base, Files: []string{name}})
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if s.Updated < bigFile/3300 || received.Load() != info.Size() {
			t.Fatalf("%d resources, %d of %d bytes", s.Updated, received.Load(), info.Size())
		}
	})
	t.Run("a transaction on standard input leaves no file behind", func(t *testing.T) {
		dir := t.TempDir()
		t.Setenv("TMPDIR", dir)
		base, received := swallow(t)
		bounded(t, Options{Server: base, Files: []string{"-"}, Stdin: repeated(`{"resourceType":"Bundle","type":"transaction","entry":[`, ",", "]}", 30<<20, func(i int) string {
			return fmt.Sprintf(`{"resource":%s,"request":{"method":"PUT","url":"Observation/o%d"}}`, resource(i), i)
		})})
		left, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(left) > 0 || received.Load() < 30<<20 {
			t.Fatalf("%d bytes arrived, left behind: %v", received.Load(), left)
		}
	})
}
