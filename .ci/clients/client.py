"""fhirpy against a running server: client.py BASE. Exits with 1 at the first thing that is not as it must be."""
import sys
import time

from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound

client = SyncFHIRClient(sys.argv[1])
marker = f"urn:fhirgate:client:fhirpy:{time.time()}"


def check(what, got, want):
    if got != want:
        sys.exit(f"fhirpy: {what}: got {got!r}, want {want!r}")


# create, read, update, patch
patient = client.resource("Patient", identifier=[{"system": marker, "value": "1"}], name=[{"family": "Doe", "given": ["Jane"]}])
patient.save()
check("a new id", bool(patient.id), True)
check("the first version", patient["meta"]["versionId"], "1")
patient["birthDate"] = "1970-01-01"
patient.save()
check("the second version", client.reference("Patient", patient.id).to_resource()["meta"]["versionId"], "2")
client.execute(f"Patient/{patient.id}", method="patch", data={"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
    {"name": "type", "valueCode": "add"}, {"name": "path", "valueString": "Patient"}, {"name": "name", "valueString": "gender"}, {"name": "value", "valueCode": "female"}]}]})
check("the patched member", client.reference("Patient", patient.id).to_resource()["gender"], "female")

# search with paging
for i in range(7):
    client.resource("Observation", status="final", code={"text": str(i)}, identifier=[{"system": marker, "value": str(i)}],
                    subject=patient.to_reference(), valueQuantity={"value": i, "unit": "x"}).save()
found = client.resources("Observation").search(subject=f"Patient/{patient.id}").limit(3)
check("the first page", len(found.fetch()), 3)
check("all pages", len(found.fetch_all()), 7)
check("the total", client.execute("Observation", method="get", params={"patient": patient.id, "_count": 0})["total"], 7)
check("a comparison", len(client.resources("Observation").search(patient=patient.id, value_quantity__ge=5).fetch_all()), 2)
check("what is included", len(client.resources("Observation").search(_id=found.first().id).include("Observation", "subject").fetch_raw()["entry"]), 2)

# transaction
bundle = client.resource("Bundle", type="transaction", entry=[
    {"fullUrl": "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a", "resource": {"resourceType": "Patient", "identifier": [{"system": marker, "value": "2"}]}, "request": {"method": "POST", "url": "Patient"}},
    {"resource": {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": {"reference": "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"}}, "request": {"method": "POST", "url": "Observation"}},
])
bundle.save()
other = client.resources("Patient").search(identifier=f"{marker}|2").first()
check("what the transaction refers to", len(client.resources("Observation").search(patient=other.id).fetch_all()), 1)

# history, capabilities, errors
check("the history", client.execute(f"Patient/{patient.id}/_history", method="get")["total"], 3)
check("the capabilities", client.execute("metadata", method="get")["fhirVersion"], "4.0.1")
try:
    client.resource("Patient", gender="nonsense").save()
    sys.exit("fhirpy: a wrong code is stored")
except OperationOutcome as e:
    check("the error's place", e.resource["issue"][0]["expression"], ["Patient.gender"])
patient.delete()
try:
    client.reference("Patient", patient.id).to_resource()
    sys.exit("fhirpy: the deleted is read")
except (ResourceNotFound, OperationOutcome):
    pass
print("fhirpy: all as it must be")
