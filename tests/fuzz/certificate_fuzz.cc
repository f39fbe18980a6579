// Certificates, of clients in a handshake and in metadata: all that is ever read of one.
#include "libs/pki/certificate.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const bool pem = input.Choice() % 4 == 0;
  const auto certificate =
      pem ? pki::Certificate::FromPem(input.Text()) : pki::Certificate::FromDer(input.Bytes());
  if (pem) DT_FUZZ_USE(pki::CertificatesFromPem(input.Text()));
  if (!certificate.ok()) return 0;
  DT_FUZZ_USE(certificate->common_name());
  DT_FUZZ_USE(certificate->issuer_common_name());
  DT_FUZZ_USE(certificate->subject_der());
  DT_FUZZ_USE(certificate->issuer_der());
  DT_FUZZ_USE(certificate->serial_hex());
  DT_FUZZ_USE(certificate->not_before());
  DT_FUZZ_USE(certificate->not_after());
  DT_FUZZ_USE(certificate->public_key());
  DT_FUZZ_USE(certificate->uris());
  DT_FUZZ_USE(certificate->dns_names());
  DT_FUZZ_USE(certificate->ip_addresses());
  DT_FUZZ_USE(certificate->crl_urls());
  DT_FUZZ_USE(certificate->is_ca());
  DT_FUZZ_USE(certificate->allows_client_auth());
  DT_FUZZ_USE(certificate->allows_server_auth());
  DT_FUZZ_USE(certificate->subject_key_id());
  DT_FUZZ_USE(certificate->authority_key_id());
  DT_FUZZ_USE(certificate->Fingerprint());
  DT_CHECK(pki::Certificate::FromPem(certificate->Pem()).ok());
  return 0;
}
