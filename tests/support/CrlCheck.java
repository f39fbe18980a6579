// Java's own check of certificates by lists that it was given, as a server that trusts the root has
// it: each certificate of the chain needs a list.
//
//   java CrlCheck.java root.pem issuer.pem < "certificate.pem lists.pem offset_seconds" lines
//
// Prints one line for each: "good", "revoked REASON", or what else is wrong. The offset is how far
// the clock is ahead.
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.security.cert.CRL;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CertificateRevokedException;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.Collection;
import java.util.Date;
import java.util.List;
import java.util.Set;

public final class CrlCheck {
  private static X509Certificate read(CertificateFactory factory, String path) throws Exception {
    try (FileInputStream in = new FileInputStream(path)) {
      return (X509Certificate) factory.generateCertificate(in);
    }
  }

  private static Collection<? extends CRL> lists(CertificateFactory factory, String path)
      throws Exception {
    try (FileInputStream in = new FileInputStream(path)) {
      return factory.generateCRLs(in);
    }
  }

  public static void main(String[] arguments) throws Exception {
    CertificateFactory factory = CertificateFactory.getInstance("X.509");
    X509Certificate root = read(factory, arguments[0]);
    X509Certificate issuer = read(factory, arguments[1]);
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = lines.readLine()) != null;) {
      String[] asked = line.split(" ");
      PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
      parameters.setDate(new Date(System.currentTimeMillis() + 1000 * Long.parseLong(asked[2])));
      parameters.addCertStore(CertStore.getInstance(
          "Collection", new CollectionCertStoreParameters(lists(factory, asked[1]))));
      try {
        CertPathValidator.getInstance("PKIX").validate(
            factory.generateCertPath(List.of(read(factory, asked[0]), issuer)), parameters);
        System.out.println("good");
      } catch (CertPathValidatorException refused) {
        System.out.println(refused.getCause() instanceof CertificateRevokedException
            ? "revoked " + ((CertificateRevokedException) refused.getCause()).getRevocationReason()
            : String.valueOf(refused.getMessage()));
      }
    }
  }
}
