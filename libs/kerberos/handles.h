// RAII over libkrb5 and GSSAPI. Private to libs/kerberos.
#pragma once

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "libs/base/bytes.h"
#include "libs/kerberos/failure.h"

namespace devicetrust::kerberos {

// This thread's context: reading the configuration costs too much for each call. Made anew
// when KRB5_CONFIG names another file. Null when the configuration is unusable.
krb5_context ThreadContext();

// A failed libkrb5 call (`context` may be null) or GSSAPI call as a Status.
absl::Status KrbError(krb5_context context, krb5_error_code code, std::string_view what);
absl::Status GssError(OM_uint32 major, OM_uint32 minor, std::string_view what);

// Owns what `Free(minor, &handle)` frees.
template <typename T, auto Free>
class GssHandle {
 public:
  GssHandle() = default;
  ~GssHandle() { Reset(); }
  GssHandle(GssHandle&& other) noexcept : handle_(std::exchange(other.handle_, T{})) {}
  GssHandle& operator=(GssHandle&& other) noexcept {
    if (this != &other) {
      Reset();
      handle_ = std::exchange(other.handle_, T{});
    }
    return *this;
  }
  T get() const { return handle_; }
  T* out() { return &handle_; }

 private:
  void Reset() noexcept {
    OM_uint32 minor = 0;
    if (handle_ != T{}) Free(&minor, &handle_);
    handle_ = T{};
  }
  T handle_{};
};

inline OM_uint32 DeleteContext(OM_uint32* minor, gss_ctx_id_t* context) {
  return gss_delete_sec_context(minor, context, GSS_C_NO_BUFFER);
}
using GssName = GssHandle<gss_name_t, &gss_release_name>;
using GssCredential = GssHandle<gss_cred_id_t, &gss_release_cred>;
using GssContext = GssHandle<gss_ctx_id_t, &DeleteContext>;

class GssBuffer {
 public:
  GssBuffer() = default;
  ~GssBuffer() {
    OM_uint32 minor = 0;
    gss_release_buffer(&minor, &buffer_);
  }
  GssBuffer(const GssBuffer&) = delete;
  GssBuffer& operator=(const GssBuffer&) = delete;
  gss_buffer_t out() { return &buffer_; }
  std::span<const std::uint8_t> bytes() const {
    return {static_cast<const std::uint8_t*>(buffer_.value), buffer_.length};
  }
  std::string_view text() const {
    return {static_cast<const char*>(buffer_.value), buffer_.length};
  }

 private:
  gss_buffer_desc buffer_{};
};

// GSSAPI takes what it only reads by non-const pointer.
inline gss_buffer_desc Borrow(std::span<const std::uint8_t> data) {
  return {data.size(), const_cast<std::uint8_t*>(data.data())};
}
inline gss_buffer_desc Borrow(std::string_view text) { return Borrow(AsBytes(text)); }

inline gss_channel_bindings_struct ChannelBindings(std::span<const std::uint8_t> application_data) {
  gss_channel_bindings_struct bindings{};
  bindings.application_data = Borrow(application_data);
  return bindings;
}

gss_OID SpnegoMechanism();

}  // namespace devicetrust::kerberos
