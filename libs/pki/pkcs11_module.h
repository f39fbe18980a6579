// A PKCS#11 module that is loaded, for pkcs11_session.cc: the one header that shows the C API.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/pki/digest.h"
#include "libs/pki/pkcs11_uri.h"

#define CRYPTOKI_GNU 1  // Names in lower case, and no macros for members.
#include <p11-kit/pkcs11.h>

namespace devicetrust::pki {

// A loaded module: one for each path, for the life of the process.
struct Pkcs11Module {
  ck_function_list* api = nullptr;
  Mutex mutex;
  pid_t initialized_by ABSL_GUARDED_BY(mutex) = 0;
  std::uint64_t generation ABSL_GUARDED_BY(mutex) =
      0;  // Of handles: C_Initialize makes old ones bad.
  int threads_inside ABSL_GUARDED_BY(mutex) = 0;
  // Held while a PIN is given, so that threads never give a wrong one at the same time.
  Mutex login_mutex;
  std::set<std::pair<std::string, Sha256Digest>> rejected ABSL_GUARDED_BY(login_mutex);
};

// kUnavailable: `call` answered `result`.
absl::Status Pkcs11Failed(std::string_view call, ck_rv_t result);
// kFailedPrecondition.
absl::Status Pkcs11Refused(std::string message);

// The module that `uri` names by path or name. kFailedPrecondition: it names none, or it does not
// load.
absl::StatusOr<Pkcs11Module*> LoadPkcs11Module(const Pkcs11Uri& uri);

// A thread inside of the module, which is initialized for this process.
class InsidePkcs11 {
 public:
  explicit InsidePkcs11(Pkcs11Module& module);
  ~InsidePkcs11();
  InsidePkcs11(const InsidePkcs11&) = delete;
  InsidePkcs11& operator=(const InsidePkcs11&) = delete;

  const absl::Status& status() const { return status_; }
  std::uint64_t generation() const { return generation_; }

 private:
  Pkcs11Module& module_;
  absl::Status status_;
  std::uint64_t generation_ = 0;
};

// Begins anew with a module that nobody is inside of: some find a token that was away, or was made
// meanwhile, by C_Initialize alone. False when somebody is.
bool BeginAnew(Pkcs11Module& module);

}  // namespace devicetrust::pki
