// A PKCS#11 token in software: Debian's softhsm2.
#pragma once

#include <string>
#include <string_view>

#include "libs/testing/temp_folder.h"

namespace devicetrust::testing {

// One for a process: the module reads its configuration once. Its tokens are "token-1" to
// "token-4", all with the same PIN, and stay empty until a test imports keys.
class SoftHsm {
 public:
  // False: softhsm2 is not installed, and a test with it is skipped.
  static bool IsInstalled();
  static SoftHsm& Shared();

  // Sets SOFTHSM2_CONF, for the programs too that this process starts from now on.
  SoftHsm();

  // A key and its public half, of PEM (PKCS#8). `id`: two hex digits an octet.
  void Import(const std::string& token, const std::string& id, const std::string& label,
              std::string_view pem);
  // The tokens are pulled out, and are back. PutBack() does nothing when they are there.
  void PullOut();
  void PutBack();

  std::string module() const;
  std::string configuration() const { return folder_ / "softhsm2.conf"; }
  std::string pin_file() const { return folder_ / "pin"; }  // 0600, with a line end.
  static constexpr char kPin[] = "1234 5678";

  // The path of the module of test_pkcs11.h, which wraps this one.
  static std::string WrapperModule();

 private:
  const TempFolder folder_;
};

}  // namespace devicetrust::testing
