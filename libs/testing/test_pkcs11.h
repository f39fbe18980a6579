// A PKCS#11 module that hands everything on to the one that the environment variable
// DT_TEST_PKCS11_MODULE names, but for what a test wants otherwise: a token that answers slowly,
// that fails, that is about to lock.
#pragma once

#include <atomic>

namespace devicetrust::testing {

struct TestPkcs11 {
  std::atomic<int> sign_millis{0};             // How long C_Sign takes.
  std::atomic<unsigned long> sign_result{0};   // What C_Sign answers, unless CKR_OK;
  std::atomic<int> sign_failures{0};           // that many times.
  std::atomic<unsigned long> token_flags{0};   // Set in CK_TOKEN_INFO besides those that are.
  std::atomic<bool> gives_bare_points{false};  // CKA_EC_POINT without its OCTET STRING.
  std::atomic<bool> hides_public_keys{false};  // Neither keys nor certificates.
  std::atomic<int> logins{0};                  // Calls so far of C_Login, C_OpenSession, C_Sign.
  std::atomic<int> sessions{0};
  std::atomic<int> signatures{0};
  std::atomic<int> signing{0};  // Threads inside of C_Sign, now and at most.
  std::atomic<int> signing_max{0};
};

// Exported by the module.
using TestPkcs11Function = TestPkcs11*();
inline constexpr char kTestPkcs11Function[] = "dt_test_pkcs11";

}  // namespace devicetrust::testing
