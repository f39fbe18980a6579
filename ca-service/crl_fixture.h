// A CA with parts of a few certificates and delta lists, and files of them for foreign programs.
// For the tests of this folder.
#pragma once

#include <chrono>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ca-service/ca_fixture.h"
#include "libs/base/files.h"
#include "libs/pki/crl.h"

namespace devicetrust::ca {

class CrlPartsTest : public CaTest {
 protected:
  StoredCertificate EnrollNew() {
    const auto key = pki::PrivateKey::Generate().value();
    StoredCertificate issued = Enroll(Token(key), key).value();
    keys_[issued.serial] = key.Pem();
    return issued;
  }
  void Revoke(const std::string& serial,
              v1::RevocationReason reason = v1::REVOCATION_REASON_SUPERSEDED) {
    DT_ASSERT_OK(revocations_->RevokeCertificate(serial, reason, "admin:ada"));
  }
  const std::string& IssuerId() {
    id_ = issuers_->Current()->active().id();
    return id_;
  }
  // Nothing when there is none.
  std::optional<pki::Crl> List(const std::string& id) {
    const Bytes der = PublishedDer(id);
    if (der.empty()) return std::nullopt;
    return pki::ParseCrl(der, ActiveCertificate()).value();
  }
  static std::set<std::string> Serials(const pki::Crl& crl) {
    std::set<std::string> serials;
    for (const auto& revoked : crl.revoked) serials.insert(revoked.serial_hex);
    return serials;
  }
  static bool Names(const StoredCertificate& certificate, const std::string& url) {
    return ToString(certificate.der).find(url) != std::string::npos;
  }

  std::string id_;
  std::map<std::string, std::string> keys_;  // Of all that were enrolled, in PEM, by serial.
};

// Twelve certificates: two that name the complete list, then two for each part.
class CrlJudgedTest : public CrlPartsTest {
 protected:
  void SetUp() override {
    crl_large_ = 4;
    crl_shards_ = {.first_after = 2, .certificates_each = 2};
    CrlPartsTest::SetUp();
    const auto issuers = issuers_->Current();
    Write("root.pem", issuers->active().root().Pem());
    Write("issuer.pem", issuers->active().certificate().Pem());
    for (int i = 0; i < 12; ++i) issued_.push_back(EnrollNew());
    Revoke(issued_[0].serial, v1::REVOCATION_REASON_CERTIFICATE_HOLD);
    for (const std::size_t i : {1, 7, 8, 9, 10}) Revoke(issued_[i].serial);
    Open();  // All of them are on the base.
    base_ = Pem(IssuerId());
  }
  void Write(const std::string& name, const std::string& text) {
    DT_ASSERT_OK(WriteFileAtomically(folder_ / name, text));
  }
  std::string Pem(const std::string& id) { return pki::CrlToPem(PublishedDer(id)); }
  std::string Part(std::int64_t number) { return Pem(ShardListId(IssuerId(), number)); }
  // Exit status and all that it wrote, of a command of the shell, in the folder of this test.
  std::pair<int, std::string> Shell(const std::string& command) {
    const int status =
        std::system(("cd " + folder_.path() + " && (" + command + ") > output 2>&1").c_str());
    return {status, ReadFile(folder_ / "output").value()};
  }
  // OpenSSL's word: empty when the certificate is good.
  std::string Verdict(const StoredCertificate& certificate, const std::string& lists,
                      const std::string& options = "", std::chrono::seconds later = {}) {
    Write("leaf.pem", pki::Certificate::FromDer(certificate.der)->Pem());
    Write("lists.pem", lists);
    const auto [status, output] =
        Shell("openssl verify -crl_check " + options + " -attime " +
              std::to_string(UnixSeconds(clock_.Now() + later)) +
              " -CAfile root.pem -untrusted issuer.pem -CRLfile lists.pem leaf.pem");
    return status == 0 ? "" : output;
  }
  static void ExpectRevoked(const std::string& verdict) {
    EXPECT_NE(verdict.find("certificate revoked"), std::string::npos) << verdict;
  }

  std::vector<StoredCertificate> issued_;
  std::string base_;  // The complete list in PEM.
};

}  // namespace devicetrust::ca
