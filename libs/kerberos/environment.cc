#include "libs/kerberos/environment.h"

#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "libs/kerberos/handles.h"

namespace devicetrust::kerberos {
namespace {

struct ContextHolder {
  krb5_context context = nullptr;
  std::string config;
  ~ContextHolder() { Reset(); }
  void Reset() {
    if (context != nullptr) krb5_free_context(context);
    context = nullptr;
  }
};

}  // namespace

absl::Status UseConfig(const std::string& krb5_config) {
  if (::access(krb5_config.c_str(), R_OK) != 0) {
    return absl::NotFoundError("Kerberos configuration is unreadable: " + krb5_config);
  }
  ::setenv("KRB5_CONFIG", krb5_config.c_str(), 1);
  ::setenv("KRB5CCNAME", "MEMORY:none", 1);
  ::setenv("KRB5_KTNAME", "MEMORY:none", 1);
  ::setenv("KRB5_CLIENT_KTNAME", "MEMORY:none", 1);
  return absl::OkStatus();
}

absl::Status RequireConfig() {
  const char* config = std::getenv("KRB5_CONFIG");
  if (config != nullptr && *config != '\0') return absl::OkStatus();
  return MakeFailure(Failure::kMisconfigured,
                     "KRB5_CONFIG is not set; name the realm's krb5.conf, the machine's own is not "
                     "taken by default");
}

krb5_context ThreadContext() {
  thread_local ContextHolder holder;
  const char* config = std::getenv("KRB5_CONFIG");
  if (config == nullptr) return nullptr;
  if (holder.context == nullptr || holder.config != config) {
    holder.Reset();
    if (krb5_init_context(&holder.context) != 0) holder.context = nullptr;
    holder.config = config;
  }
  return holder.context;
}

gss_OID SpnegoMechanism() {
  static gss_OID_desc spnego = {6, const_cast<char*>("\x2b\x06\x01\x05\x05\x02")};  // RFC 4178.
  return &spnego;
}

}  // namespace devicetrust::kerberos
