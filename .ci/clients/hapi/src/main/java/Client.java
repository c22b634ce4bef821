import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.client.api.ServerValidationModeEnum;
import ca.uhn.fhir.rest.client.interceptor.CapturingInterceptor;
import ca.uhn.fhir.rest.server.exceptions.ResourceGoneException;
import ca.uhn.fhir.rest.server.exceptions.UnprocessableEntityException;
import java.util.List;
import org.hl7.fhir.instance.model.api.IBaseBundle;
import org.hl7.fhir.r4.model.*;

/** HAPI's client in XML and in JSON against a running server: Client BASE. It exits with 1 at the first thing that is not as it must be. */
public class Client {
  static void check(String what, Object got, Object want) {
    if (!String.valueOf(got).equals(String.valueOf(want))) {
      System.err.println("HAPI: " + what + ": got " + got + ", want " + want);
      System.exit(1);
    }
  }

  public static void main(String[] args) {
    FhirContext context = FhirContext.forR4();
    context.getRestfulClientFactory().setServerValidationMode(ServerValidationModeEnum.NEVER);
    context.getRestfulClientFactory().setSocketTimeout(120_000);
    for (EncodingEnum encoding : List.of(EncodingEnum.XML, EncodingEnum.JSON)) {
      IGenericClient client = context.newRestfulGenericClient(args[0]);
      client.setEncoding(encoding);
      CapturingInterceptor captured = new CapturingInterceptor();
      client.registerInterceptor(captured);
      run(client, encoding.name(), captured, encoding == EncodingEnum.XML ? "application/fhir+xml" : "application/fhir+json");
      System.out.println("HAPI in " + encoding + ": all as it must be");
    }
    System.exit(0);
  }

  static void run(IGenericClient client, String name, CapturingInterceptor captured, String type) {
    String marker = "urn:fhirgate:client:hapi:" + name + ":" + System.currentTimeMillis();
    check("the capabilities", client.capabilities().ofType(CapabilityStatement.class).execute().getFhirVersion().toCode(), "4.0.1");
    check("the format", captured.getLastResponse().getHeaders("content-type").get(0).startsWith(type), true);

    Patient patient = new Patient();
    patient.addIdentifier().setSystem(marker).setValue("1");
    patient.addName().setFamily("Dö<e>&\"'").addGiven("Jane");
    patient.getText().setStatus(Narrative.NarrativeStatus.GENERATED);
    patient.getText().setDivAsString("<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>A &amp; <b>B</b></p></div>");
    patient.getBirthDateElement().setValueAsString("1970-01");
    patient.getBirthDateElement().addExtension("urn:x", new DecimalType("1.00"));
    MethodOutcome created = client.create().resource(patient).conditional().where(Patient.IDENTIFIER.exactly().systemAndCode(marker, "1")).execute();
    IdType id = new IdType(created.getId().getValue()).toUnqualifiedVersionless();
    check("it is created", created.getCreated(), true);
    check("it is found", client.create().resource(patient).conditional().where(Patient.IDENTIFIER.exactly().systemAndCode(marker, "1")).execute().getId().getIdPart(), id.getIdPart());

    Patient read = client.read().resource(Patient.class).withId(id).execute();
    check("a text", read.getNameFirstRep().getFamily(), "Dö<e>&\"'");
    check("a narrative", read.getText().getDivAsString(), patient.getText().getDivAsString());
    check("an extension of a primitive", ((DecimalType) read.getBirthDateElement().getExtensionByUrl("urn:x").getValue()).getValueAsString(), "1.00");

    read.setGender(Enumerations.AdministrativeGender.FEMALE);
    check("the second version", client.update().resource(read).execute().getId().getVersionIdPart(), "2");
    Parameters patch = new Parameters();
    Parameters.ParametersParameterComponent operation = patch.addParameter().setName("operation");
    operation.addPart().setName("type").setValue(new CodeType("replace"));
    operation.addPart().setName("path").setValue(new StringType("Patient.gender"));
    operation.addPart().setName("value").setValue(new CodeType("male"));
    check("FHIRPath Patch", client.patch().withFhirPatch(patch).withId(id).execute().getId().getVersionIdPart(), "3");
    check("JSON Patch", client.patch().withBody("[{\"op\":\"replace\",\"path\":\"/gender\",\"value\":\"other\"}]").withId(id).execute().getId().getVersionIdPart(), "4");
    check("what patches made", client.read().resource(Patient.class).withId(id).execute().getGender().toCode(), "other");
    check("vread", client.read().resource(Patient.class).withIdAndVersion(id.getIdPart(), "1").execute().hasGender(), false);

    for (int i = 0; i < 5; i++) {
      Observation o = new Observation();
      o.setStatus(Observation.ObservationStatus.FINAL).setCode(new CodeableConcept().setText("" + i)).setSubject(new Reference(id)).setValue(new Quantity(i + 0.5));
      client.create().resource(o).execute();
    }
    Bundle page = client.search().forResource(Observation.class).where(Observation.PATIENT.hasId(id)).sort().ascending(Observation.RES_ID).count(2).returnBundle(Bundle.class).execute();
    int seen = page.getEntry().size();
    while (page.getLink(IBaseBundle.LINK_NEXT) != null) {
      page = client.loadPage().next(page).execute();
      seen += page.getEntry().size();
    }
    check("all pages", seen, 5);
    check("a search by POST", client.search().forResource(Observation.class).where(Observation.PATIENT.hasId(id)).and(Observation.VALUE_QUANTITY.greaterThan().number(2).andNoUnits()).usingStyle(ca.uhn.fhir.rest.api.SearchStyleEnum.POST)
        .returnBundle(Bundle.class).execute().getTotal(), 3);
    check("what is included", client.search().forResource(Observation.class).where(Observation.PATIENT.hasId(id)).include(Observation.INCLUDE_PATIENT).count(1).returnBundle(Bundle.class).execute().getEntry().size(), 2);

    Bundle transaction = new Bundle().setType(Bundle.BundleType.TRANSACTION);
    String urn = IdType.newRandomUuid().getValue();
    Patient second = new Patient();
    second.addIdentifier().setSystem(marker).setValue("2");
    transaction.addEntry().setFullUrl(urn).setResource(second).getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Patient");
    Observation refers = new Observation();
    refers.setStatus(Observation.ObservationStatus.FINAL).setCode(new CodeableConcept().setText("x")).setSubject(new Reference(urn));
    transaction.addEntry().setResource(refers).getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Observation");
    transaction.addEntry().setResource(patch).getRequest().setMethod(Bundle.HTTPVerb.PATCH).setUrl(id.getValue());
    Bundle response = client.transaction().withBundle(transaction).execute();
    check("the transaction", response.getEntry().stream().map(e -> e.getResponse().getStatus().substring(0, 3)).toList(), "[201, 201, 200]");

    check("the history", client.history().onInstance(id).returnBundle(Bundle.class).execute().getTotal(), 5);
    Bundle everything = client.operation().onInstance(id).named("$everything").withNoParameters(Parameters.class).useHttpGet().returnResourceType(Bundle.class).execute();
    check("$everything", everything.getEntry().size() >= 6, true);

    try {
      client.create().resource(new Observation().setCode(new CodeableConcept().setText("x"))).execute();
      check("what lacks its status", "stored", "refused");
    } catch (UnprocessableEntityException e) {
      check("the error's place", ((OperationOutcome) e.getOperationOutcome()).getIssueFirstRep().getExpression().get(0).getValue(), "Observation.status");
    }
    client.delete().resourceById(id).execute();
    try {
      client.read().resource(Patient.class).withId(id).execute();
      check("the deleted", "read", "gone");
    } catch (ResourceGoneException e) {
      check("the outcome", e.getOperationOutcome() != null, true);
    }
  }
}
