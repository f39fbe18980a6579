// One session with one PKCS#11 token, by the C API of its module: for pkcs11.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/pki/key.h"
#include "libs/pki/pkcs11_uri.h"

namespace devicetrust::pki {

// Of one thread. A call blocks for as long as the module does. Opens itself: loads the module
// (once a process, with CKF_OS_LOCKING_OK, and never unloaded), finds the one token that matches,
// logs in, finds the one private key. After the process has forked the child begins anew.
//
// A PIN that the token called wrong is not given to it again by this process; no PIN at all while
// the token says that one wrong one more would lock it.
//
// Errors: kUnavailable: no such token is there, it failed, the session broke down twice.
// kFailedPrecondition: what waiting does not mend (module, PIN, key), with the remedy.
class Pkcs11Session {
 public:
  // `uri` names module, key id and PIN file. `expected`: the public half that the key must have.
  Pkcs11Session(Pkcs11Uri uri, std::optional<PublicKey> expected);
  ~Pkcs11Session();  // Closes it.
  Pkcs11Session(const Pkcs11Session&) = delete;
  Pkcs11Session& operator=(const Pkcs11Session&) = delete;

  // ECDSA over `digest` as ExternalKey::SignDigest(). A key whose handle has become bad is looked
  // up again once, a session that broke is opened again once. The first signature of a session
  // leaves only once it was verified with `expected`.
  absl::StatusOr<Bytes> SignDigest(std::span<const std::uint8_t> digest);

  // The public half, by the public key or the certificate beside it in the token. It is
  // `expected`, where that is given.
  absl::StatusOr<PublicKey> ReadPublicKey();

  void Close();  // The next call opens it again.

 private:
  struct State;

  template <typename Result>
  absl::StatusOr<Result> WhenOpen(
      const std::function<absl::StatusOr<Result>(std::uint64_t generation)>& work);
  absl::Status Open(std::uint64_t generation);
  absl::Status Login();
  absl::Status FindKey();
  absl::StatusOr<std::optional<PublicKey>> StoredPublicKey() const;
  absl::StatusOr<Bytes> TrySign(std::span<const std::uint8_t> digest, unsigned long& result);
  void Forget(std::uint64_t generation);

  const std::unique_ptr<State> state_;
};

}  // namespace devicetrust::pki
