// Java's own check of certificates by OCSP, as a server that trusts the root has it.
//
//   java OcspCheck.java root.pem issuer.pem < "certificate.pem offset_seconds" lines
//
// Prints one line for each: "good", "revoked REASON", "unknown", or what else is wrong. The offset
// is how far the clock is ahead.
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateFactory;
import java.security.cert.CertificateRevokedException;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.Date;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

public final class OcspCheck {
  private static final CertificateFactory FACTORY = factory();

  private static CertificateFactory factory() {
    try {
      return CertificateFactory.getInstance("X.509");
    } catch (Exception broken) {
      throw new IllegalStateException(broken);
    }
  }

  private static X509Certificate read(String path) throws Exception {
    try (FileInputStream in = new FileInputStream(path)) {
      return (X509Certificate) FACTORY.generateCertificate(in);
    }
  }

  private static String check(X509Certificate root, X509Certificate issuer, String path,
      long offsetSeconds) throws Exception {
    CertPathValidator validator = CertPathValidator.getInstance("PKIX");
    PKIXRevocationChecker checker = (PKIXRevocationChecker) validator.getRevocationChecker();
    checker.setOptions(EnumSet.of(PKIXRevocationChecker.Option.ONLY_END_ENTITY,
        PKIXRevocationChecker.Option.NO_FALLBACK));
    PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
    parameters.setDate(new Date(System.currentTimeMillis() + 1000 * offsetSeconds));
    parameters.addCertPathChecker(checker);
    CertPath chain = FACTORY.generateCertPath(List.of(read(path), issuer));
    try {
      validator.validate(chain, parameters);
      return "good";
    } catch (CertPathValidatorException refused) {
      if (refused.getCause() instanceof CertificateRevokedException) {
        return "revoked "
            + ((CertificateRevokedException) refused.getCause()).getRevocationReason();
      }
      String message = String.valueOf(refused.getMessage());
      return message.endsWith("status is unknown") ? "unknown" : message;
    }
  }

  public static void main(String[] arguments) throws Exception {
    X509Certificate root = read(arguments[0]);
    X509Certificate issuer = read(arguments[1]);
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = lines.readLine()) != null;) {
      String[] parts = line.split(" ");
      System.out.println(check(root, issuer, parts[0], Long.parseLong(parts[1])));
    }
  }
}
