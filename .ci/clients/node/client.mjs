// fhir-kit-client and fhirclient against a running server: client.mjs BASE. Exits with 1 at the first thing that is not as it must be.
import assert from "node:assert/strict";
import { Client as Kit } from "fhir-kit-client";
import FHIR from "fhirclient";

const base = process.argv[2];
const marker = `urn:fhirgate:client:node:${Date.now()}`;
const patient = { resourceType: "Patient", identifier: [{ system: marker, value: "1" }], name: [{ family: "Doe" }] };
const observation = (i, id) => ({ resourceType: "Observation", status: "final", code: { text: String(i) }, subject: { reference: `Patient/${id}` } });

// fhir-kit-client
{
  const client = new Kit({ baseUrl: base });
  assert.equal((await client.capabilityStatement()).fhirVersion, "4.0.1");
  const created = await client.create({ resourceType: "Patient", body: patient });
  assert.equal(created.meta.versionId, "1");
  await client.update({ resourceType: "Patient", id: created.id, body: { ...created, gender: "female" } });
  const patched = await client.patch({ resourceType: "Patient", id: created.id, jsonPatch: [{ op: "test", path: "/gender", value: "female" }, { op: "replace", path: "/gender", value: "male" }] });
  assert.equal(patched.gender, "male");
  assert.equal((await client.vread({ resourceType: "Patient", id: created.id, version: "1" })).gender, undefined);
  for (let i = 0; i < 5; i++) await client.create({ resourceType: "Observation", body: observation(i, created.id) });
  let page = await client.search({ resourceType: "Observation", searchParams: { patient: created.id, _count: 2, _sort: "_id" } });
  let seen = 0;
  for (; page; page = page.link.some((l) => l.relation === "next") ? await client.nextPage({ bundle: page }) : null) seen += page.entry.length;
  assert.equal(seen, 5);
  assert.equal((await client.search({ resourceType: "Patient", searchParams: { identifier: `${marker}|1` }, options: { postSearch: true } })).total, 1);
  assert.equal((await client.compartmentSearch({ resourceType: "Observation", compartment: { resourceType: "Patient", id: created.id } })).total, 5);
  const response = await client.transaction({
    body: {
      resourceType: "Bundle", type: "transaction", entry: [
        { fullUrl: "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a", resource: { ...patient, identifier: [{ system: marker, value: "2" }] }, request: { method: "POST", url: "Patient" } },
        { resource: { ...observation("x", "x"), subject: { reference: "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a" } }, request: { method: "POST", url: "Observation" } },
      ],
    },
  });
  assert.deepEqual(response.entry.map((e) => e.response.status.slice(0, 3)), ["201", "201"]);
  assert.equal((await client.batch({ body: { resourceType: "Bundle", type: "batch", entry: [{ request: { method: "GET", url: `Patient/${created.id}` } }] } })).entry[0].resource.id, created.id);
  assert.equal((await client.history({ resourceType: "Patient", id: created.id })).total, 3);
  assert.ok((await client.operation({ name: "everything", resourceType: "Patient", id: created.id, method: "GET" })).entry.length >= 6);
  assert.equal((await client.resolve({ reference: `Patient/${created.id}` })).id, created.id);
  await assert.rejects(client.create({ resourceType: "Patient", body: { resourceType: "Patient", gender: "nonsense" } }), (e) => e.response.status === 422 && e.response.data.resourceType === "OperationOutcome");
  await client.delete({ resourceType: "Patient", id: created.id });
  await assert.rejects(client.read({ resourceType: "Patient", id: created.id }), (e) => e.response.status === 410);
  console.log("fhir-kit-client: all as it must be");
}

// fhirclient
{
  const client = FHIR({ url: "http://127.0.0.1/", headers: {} }, { setHeader() {} }, { get: async () => null, set: async (_, v) => v, unset: async () => true }).client(base);
  assert.equal(await client.getFhirVersion(), "4.0.1");
  const created = await client.create(patient);
  assert.equal((await client.update({ ...created, gender: "female" })).meta.versionId, "2");
  assert.equal((await client.patch(`Patient/${created.id}`, [{ op: "replace", path: "/gender", value: "male" }])).gender, "male");
  for (let i = 0; i < 5; i++) await client.create(observation(i, created.id));
  const all = await client.request(`Observation?patient=${created.id}&_count=2`, { pageLimit: 0, flat: true });
  assert.equal(all.length, 5);
  const resolved = await client.request(`Observation?patient=${created.id}&_count=1`, { resolveReferences: "subject", graph: true, flat: true });
  assert.equal(resolved[0].subject.id, created.id);
  assert.equal((await client.request(`Patient/${created.id}/_history`)).total, 3);
  await assert.rejects(client.create({ resourceType: "Patient", gender: "nonsense" }), (e) => e.statusCode === 422 || e.status === 422);
  await client.delete(`Patient/${created.id}`);
  console.log("fhirclient: all as it must be");
}
