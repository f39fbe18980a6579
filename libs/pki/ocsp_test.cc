// Requests by OpenSSL, and answers as OpenSSL reads and verifies them.
#include "libs/pki/ocsp.h"

#include <gtest/gtest.h>
#include <openssl/ocsp.h>

#include "libs/pki/der.h"
#include "libs/pki/openssl.h"
#include "libs/testing/mutation.h"
#include "libs/testing/status.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::pki {
namespace {

using OcspRequestPtr = Owned<OCSP_REQUEST, &OCSP_REQUEST_free>;
using OcspResponsePtr = Owned<OCSP_RESPONSE, &OCSP_RESPONSE_free>;
using OcspBasicPtr = Owned<OCSP_BASICRESP, &OCSP_BASICRESP_free>;
using ExtensionPtr = Owned<X509_EXTENSION, &X509_EXTENSION_free>;
using OcspIdPtr = Owned<OCSP_CERTID, &OCSP_CERTID_free>;

class OcspTest : public ::testing::Test {
 protected:
  static constexpr WallTime kNow{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};

  OcspIdPtr IdOf(const Certificate& subject, const EVP_MD* hash = EVP_sha1()) const {
    return OcspIdPtr(OCSP_cert_to_id(hash, subject.get(), ca_.certificate.get()));
  }
  Bytes Request(const std::vector<const EVP_MD*>& hashes, int nonce_bytes = 0) const {
    const OcspRequestPtr request(OCSP_REQUEST_new());
    for (const EVP_MD* hash : hashes) {
      OCSP_request_add0_id(request.get(), IdOf(device_.certificate, hash).release());
    }
    if (nonce_bytes > 0) {
      Bytes nonce(static_cast<std::size_t>(nonce_bytes), 0x5a);
      OCSP_request_add1_nonce(request.get(), nonce.data(), nonce_bytes);
    }
    return ToDer(request.get(), &i2d_OCSP_REQUEST);
  }
  Bytes Answer(const OcspRequest& request, const OcspCertStatus& status) const {
    OcspAnswer answer{
        {}, kNow, kNow - std::chrono::minutes(5), kNow + std::chrono::hours(12), request.nonce()};
    for (const OcspCertId& id : request.ids()) answer.singles.push_back({id.der, status});
    return signer_.Sign(answer).value();
  }
  // As a client does that trusts the issuer and no certificate but those that came along.
  OcspBasicPtr Verified(const Bytes& der) const {
    const auto response = FromDer<OcspResponsePtr>(der, &d2i_OCSP_RESPONSE);
    EXPECT_NE(response, nullptr);
    if (response == nullptr) return nullptr;
    EXPECT_EQ(OCSP_response_status(response.get()), OCSP_RESPONSE_STATUS_SUCCESSFUL);
    OcspBasicPtr basic(OCSP_response_get1_basic(response.get()));
    const X509StorePtr store(X509_STORE_new());
    X509_STORE_add_cert(store.get(), ca_.certificate.get());
    X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store.get()), UnixSeconds(kNow));
    EXPECT_EQ(OCSP_basic_verify(basic.get(), nullptr, store.get(), 0), 1);
    ClearErrors();
    return basic;
  }

  const ExportableIdentity ca_ = throwaway::NewCa("device CA", kNow);
  const ExportableIdentity device_ = throwaway::NewDevice("acme", "d1", "e1", ca_, kNow);
  const ExportableIdentity delegate_ =
      throwaway::NewIdentity("responder", Usage::kOcspSigning, ca_, kNow);
  const OcspSigner signer_{delegate_};
};

TEST_F(OcspTest, ReadsWhatOpensslAsks) {
  const auto request = OcspRequest::Parse(Request({EVP_sha1(), EVP_sha256(), EVP_sha512()}, 16));
  DT_ASSERT_OK(request);
  ASSERT_EQ(request->ids().size(), 3U);
  EXPECT_EQ(request->ids()[0].hash, OcspHash::kSha1);
  EXPECT_EQ(request->ids()[1].hash, OcspHash::kSha256);
  EXPECT_EQ(request->ids()[2].hash, OcspHash::kOther);
  EXPECT_FALSE(request->nonce().empty());
  const OcspIssuer issuer(ca_.certificate);
  const OcspIssuer other(throwaway::NewCa("device CA", kNow).certificate);  // Of the same name.
  for (const OcspCertId& id : request->ids()) {
    EXPECT_EQ(id.serial_hex(), device_.certificate.serial_hex());
    EXPECT_EQ(issuer.Is(id), id.hash != OcspHash::kOther);
    EXPECT_FALSE(other.Is(id));
  }
  EXPECT_TRUE(OcspRequest::Parse(Request({EVP_sha1()}))->nonce().empty());
}

TEST_F(OcspTest, SignsWhatOpensslTakes) {
  for (const EVP_MD* hash : {EVP_sha1(), EVP_sha256()}) {
    const Bytes asked = Request({hash}, 32);
    const auto request = OcspRequest::Parse(asked).value();
    const OcspBasicPtr basic = Verified(Answer(
        request, {OcspStatus::kRevoked, kNow - std::chrono::days(1), CrlReason::kKeyCompromise}));
    int status = 0;
    int reason = 0;
    ASN1_GENERALIZEDTIME* revoked_at = nullptr;
    ASN1_GENERALIZEDTIME* this_update = nullptr;
    ASN1_GENERALIZEDTIME* next_update = nullptr;
    ASSERT_EQ(OCSP_resp_find_status(basic.get(), IdOf(device_.certificate, hash).get(), &status,
                                    &reason, &revoked_at, &this_update, &next_update),
              1);
    EXPECT_EQ(status, V_OCSP_CERTSTATUS_REVOKED);
    EXPECT_EQ(reason, OCSP_REVOKED_STATUS_KEYCOMPROMISE);
    EXPECT_EQ(TimeFromAsn1(revoked_at), kNow - std::chrono::days(1));
    EXPECT_EQ(TimeFromAsn1(this_update), kNow - std::chrono::minutes(5));
    EXPECT_EQ(TimeFromAsn1(next_update), kNow + std::chrono::hours(12));
    EXPECT_EQ(TimeFromAsn1(OCSP_resp_get0_produced_at(basic.get())), kNow);
    EXPECT_EQ(
        OCSP_check_nonce(FromDer<OcspRequestPtr>(asked, &d2i_OCSP_REQUEST).get(), basic.get()), 1);
  }
  const auto plain = OcspRequest::Parse(Request({EVP_sha1()})).value();
  for (const auto& [ours, theirs] : {std::pair(OcspStatus::kGood, V_OCSP_CERTSTATUS_GOOD),
                                     std::pair(OcspStatus::kUnknown, V_OCSP_CERTSTATUS_UNKNOWN),
                                     std::pair(OcspStatus::kRevoked, V_OCSP_CERTSTATUS_REVOKED)}) {
    const OcspBasicPtr basic = Verified(Answer(plain, {ours, kNow}));
    int status = 0;
    int reason = OCSP_REVOKED_STATUS_NOSTATUS;
    ASSERT_EQ(OCSP_resp_find_status(basic.get(), IdOf(device_.certificate).get(), &status, &reason,
                                    nullptr, nullptr, nullptr),
              1);
    EXPECT_EQ(status, theirs);
    EXPECT_EQ(reason, OCSP_REVOKED_STATUS_NOSTATUS);  // Unspecified is left out.
  }
}

TEST_F(OcspTest, DelegateIsOneByItsUsageAndItsIssuer) {
  X509* certificate = delegate_.certificate.get();
  EXPECT_EQ(X509_get_extended_key_usage(certificate), static_cast<std::uint32_t>(XKU_OCSP_SIGN));
  EXPECT_GE(X509_get_ext_by_NID(certificate, NID_id_pkix_OCSP_noCheck, -1), 0);
  EXPECT_FALSE(delegate_.certificate.allows_client_auth());
  const OcspSigner foreign(throwaway::NewIdentity("responder", Usage::kOcspSigning,
                                                  throwaway::NewCa("other", kNow), kNow));
  const auto request = OcspRequest::Parse(Request({EVP_sha1()})).value();
  const Bytes der =
      foreign.Sign({{{request.ids()[0].der, {OcspStatus::kGood}}}, kNow, kNow, kNow}).value();
  const OcspBasicPtr basic(
      OCSP_response_get1_basic(FromDer<OcspResponsePtr>(der, &d2i_OCSP_RESPONSE).get()));
  const X509StorePtr store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), ca_.certificate.get());
  EXPECT_NE(OCSP_basic_verify(basic.get(), nullptr, store.get(), 0), 1);
  ClearErrors();
  OcspAnswer early{{}, kNow, WallTime(-std::chrono::hours(1)), kNow};
  DT_EXPECT_CODE(signer_.Sign(early), kInvalidArgument);
}

TEST_F(OcspTest, TakesNoncesOf1To128OctetsAndLeavesOthersUnanswered) {
  for (const int size : {1, 16, 23, 32, 128}) {
    const Bytes asked = Request({EVP_sha1()}, size);
    const auto request = OcspRequest::Parse(asked).value();
    EXPECT_FALSE(request.nonce().empty()) << size;
    EXPECT_EQ(OCSP_check_nonce(FromDer<OcspRequestPtr>(asked, &d2i_OCSP_REQUEST).get(),
                               Verified(Answer(request, {OcspStatus::kGood})).get()),
              1)
        << size;
  }
  for (const int size : {129, 1000}) {
    const auto request = OcspRequest::Parse(Request({EVP_sha1()}, size));
    DT_ASSERT_OK(request);
    EXPECT_TRUE(request->nonce().empty()) << size;
  }
}

// A structure that has `parts` one after the other.
Bytes Sequence(std::initializer_list<DerSpan> parts) { return DerElement(kDerSequence, parts); }

TEST_F(OcspTest, RefusesWhatTwoReadersCouldTakeDifferently) {
  const Bytes good = Request({EVP_sha1()}, 16);
  Bytes trailing = good;
  trailing.push_back(0);
  Bytes unended = good;
  unended.pop_back();
  DerSpan rest = good;
  DerSpan whole = *TakeContent(rest, kDerSequence);
  DerSpan parts = *TakeContent(whole, kDerSequence);
  const DerSpan list = *TakeElement(parts, kDerSequence);
  const DerSpan tagged = parts;  // The extensions.
  DerSpan list_content = list;
  const DerSpan single = *TakeContent(list_content, kDerSequence);
  const Bytes version1 = {0xa0, 3, 2, 1, 0};
  const Bytes version2 = {0xa0, 3, 2, 1, 1};
  const Bytes name = {0xa1, 2, 0x86, 0};
  const Bytes signature = {0xa0, 2, 0x30, 0};
  const Bytes critical_unknown = {0xa2, 14, 0x30, 12,   0x30, 10, 0x06, 1,
                                  0x2a, 1,  1,    0xff, 4,    2,  5,    0};
  const Bytes unknown = {0xa2, 11, 0x30, 9, 0x30, 7, 0x06, 1, 0x2a, 4, 2, 5, 0};
  DerSpan nonce_list = tagged;
  DerSpan nonce = *TakeContent(nonce_list, 0xa2);
  nonce = *TakeContent(nonce, kDerSequence);
  const Bytes two_nonces = DerElement(0xa2, {Sequence({nonce, nonce})});

  for (const Bytes& taken :
       {good, Sequence({Sequence({version1, list})}), Sequence({Sequence({name, list})}),
        Sequence({Sequence({list}), signature}), Sequence({Sequence({list, unknown})})}) {
    DT_EXPECT_OK(OcspRequest::Parse(taken));
  }
  for (const Bytes& refused :
       {Bytes(), trailing, unended, Sequence({Sequence({version2, list})}),
        Sequence({Sequence({list, version1})}), Sequence({Sequence({list, critical_unknown})}),
        Sequence({Sequence({list, two_nonces})}), Sequence({Sequence({list, tagged, tagged})}),
        Sequence({Sequence({list}), signature, signature}), Sequence({Sequence({Sequence({})})}),
        Sequence({Sequence({})}), Sequence({}),
        Sequence({Sequence({Sequence({Sequence({single, single})})})})}) {
    DT_EXPECT_CODE(OcspRequest::Parse(refused), kInvalidArgument);
  }
}

// The serial as DER writes a number, and what no certificate may have for one.
TEST_F(OcspTest, ReadsSerialsAsDerWritesThem) {
  const auto with_serial = [&](const Bytes& serial) {
    const Bytes algorithm = {0x30, 7, 0x06, 5, 0x2b, 0x0e, 3, 2, 0x1a};
    const Bytes hash = DerElement(kDerOctets, {Bytes(20, 1)});
    const Bytes number = DerElement(kDerInteger, {serial});
    const Bytes id = Sequence({algorithm, hash, hash, number});
    return OcspRequest::Parse(Sequence({Sequence({Sequence({Sequence({id})})})}));
  };
  EXPECT_EQ(with_serial({0x01})->ids()[0].serial_hex(), "01");
  EXPECT_EQ(with_serial({0x00, 0x80})->ids()[0].serial_hex(), "80");
  EXPECT_EQ(with_serial({0x00})->ids()[0].serial_hex(), "");
  EXPECT_EQ(with_serial({0xff})->ids()[0].serial_hex(), "");
  EXPECT_EQ(with_serial(Bytes(200, 1))->ids()[0].serial_hex(), "");
  for (const Bytes& bad : {Bytes{}, Bytes{0x00, 0x01}, Bytes{0xff, 0xff}}) {
    DT_EXPECT_CODE(with_serial(bad), kInvalidArgument);
  }
}

TEST_F(OcspTest, BoundsWhatOneRequestMayAsk) {
  const std::vector<const EVP_MD*> most(kOcspIdsMax, EVP_sha1());
  EXPECT_EQ(OcspRequest::Parse(Request(most))->ids().size(), kOcspIdsMax);
  const std::vector<const EVP_MD*> one_more(kOcspIdsMax + 1, EVP_sha1());
  DT_EXPECT_CODE(OcspRequest::Parse(Request(one_more)), kInvalidArgument);
  const std::vector<const EVP_MD*> thousand(1000, EVP_sha1());
  DT_EXPECT_CODE(OcspRequest::Parse(Request(thousand)), kInvalidArgument);
  DT_EXPECT_CODE(OcspRequest::Parse(Bytes(kOcspRequestBytesMax + 1, 0x30)), kInvalidArgument);
  DT_EXPECT_CODE(OcspRequest::Parse(Bytes(64 * 1024, 0x30)), kInvalidArgument);
}

TEST_F(OcspTest, SurvivesMutations) {
  const Bytes good = Request({EVP_sha1(), EVP_sha256()}, 16);
  const OcspIssuer issuer(ca_.certificate);
  testing::ForEachMutation(good, 20'000, 7, [&](const Bytes& bad) {
    const auto request = OcspRequest::Parse(bad);
    if (!request.ok()) return;
    ASSERT_LE(request->ids().size(), kOcspIdsMax);
    // Whatever an answer repeats, OpenSSL reads too.
    for (const OcspCertId& id : request->ids()) {
      if (!issuer.Is(id)) continue;
      ASSERT_NE(FromDer<OcspIdPtr>(id.der, &d2i_OCSP_CERTID), nullptr);
    }
    if (request->nonce().empty()) return;
    ASSERT_NE(FromDer<ExtensionPtr>(request->nonce(), &d2i_X509_EXTENSION), nullptr);
  });
  ClearErrors();
}

TEST_F(OcspTest, SaysUnsignedWhatIsNoStatus) {
  for (const auto error : {OcspError::kMalformedRequest, OcspError::kInternalError,
                           OcspError::kTryLater, OcspError::kUnauthorized}) {
    const auto response = FromDer<OcspResponsePtr>(OcspErrorResponse(error), &d2i_OCSP_RESPONSE);
    ASSERT_NE(response, nullptr);
    EXPECT_EQ(OCSP_response_status(response.get()), static_cast<int>(error));
  }
}

}  // namespace
}  // namespace devicetrust::pki
