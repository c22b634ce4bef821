package main

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/fhirgate/fhirgate/cmd/fhirgate/load"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
	"github.com/fhirgate/fhirgate/fhir/server/rest"
)

// BenchmarkLoad loads the corpus into a fresh server in the same process, over HTTP, as `fhirgate load` does: validated, indexed and durable.
func BenchmarkLoad(b *testing.B) {
	dir := corpustest.Path(b, "synthea")
	for _, level := range []string{"base", "off"} {
		b.Run("validate="+level, func(b *testing.B) {
			var bytesOnDisk, resources int64
			for b.Loop() {
				b.StopTimer()
				data := freshData(b)
				s := &settings{data: data, validate: choice{value: level}, conditionalDelete: choice{value: "single"}}
				gw, err := newGateway(b.Context(), s, "127.0.0.1:0", slog.New(slog.DiscardHandler))
				if err != nil {
					b.Fatal(err)
				}
				if err := gw.open(s); err != nil {
					b.Fatal(err)
				}
				h, err := gw.handler(s, slog.New(slog.DiscardHandler))
				if err != nil {
					b.Fatal(err)
				}
				server := httptest.NewUnstartedServer(nil)
				server.Config = rest.NewServer(h, 0, nil)
				server.Start()
				b.StartTimer()
				sum, err := load.Run(b.Context(), load.Options{Server: server.URL + "/fhir", Files: []string{dir}, Progress: &bytes.Buffer{}})
				b.StopTimer()
				if err != nil {
					b.Fatal(err)
				}
				server.Close()
				if err := gw.close(); err != nil {
					b.Fatal(err)
				}
				resources += int64(sum.Resources)
				bytesOnDisk += folderSize(b, data)
				b.StartTimer()
			}
			b.ReportMetric(float64(resources)/b.Elapsed().Seconds(), "resources/s")
			b.ReportMetric(float64(bytesOnDisk)/float64(resources), "B/resource")
		})
	}
}

// folderSize returns how many bytes the files of a folder take on the disk.
func folderSize(b *testing.B, dir string) int64 {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		b.Fatal(err)
	}
	var n int64
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			b.Fatal(err)
		}
		n += info.Size()
	}
	return n
}
