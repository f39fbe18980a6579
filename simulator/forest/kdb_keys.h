// Keys as libkrb5 wants them, and those made of passwords. For the KDC's plug-in alone.
#pragma once

#include <krb5.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <unordered_map>

namespace devicetrust::simulator {

// Zeros, which libkrb5 and libkdb5 free.
inline void* Allocate(std::size_t bytes) {
  void* memory = std::calloc(1, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

inline krb5_error_code SetKey(krb5_keyblock& out, int enctype, const void* bytes,
                              std::size_t size) {
  out = {};
  out.magic = KV5M_KEYBLOCK;
  out.enctype = enctype;
  out.length = static_cast<unsigned>(size);
  out.contents = static_cast<krb5_octet*>(Allocate(size));
  std::memcpy(out.contents, bytes, size);
  return 0;
}

// Keys made of passwords, by principal and enctype. krb5kdc serves from a single thread.
class PasswordKeys {
 public:
  krb5_error_code Get(krb5_context context, int enctype, unsigned kvno, const std::string& name,
                      const std::string& password, krb5_keyblock& out) {
    const std::string which = name + '\0' + std::to_string(enctype);
    const auto found = keys_.find(which);
    if (found != keys_.end() && found->second.kvno == kvno && found->second.password == password) {
      return SetKey(out, enctype, found->second.key.data(), found->second.key.size());
    }
    krb5_principal principal = nullptr;
    krb5_data salt{};
    krb5_error_code code = krb5_parse_name(context, name.c_str(), &principal);
    if (code == 0) code = krb5_principal2salt(context, principal, &salt);
    krb5_data text{};
    text.data = const_cast<char*>(password.data());
    text.length = static_cast<unsigned>(password.size());
    if (code == 0) code = krb5_c_string_to_key(context, enctype, &text, &salt, &out);
    krb5_free_data_contents(context, &salt);
    krb5_free_principal(context, principal);
    if (code != 0) return code;
    if (keys_.size() >= kKeysMax) keys_.clear();
    keys_[which] = {kvno, password, std::string(out.contents, out.contents + out.length)};
    return 0;
  }

 private:
  struct Made {
    unsigned kvno = 0;
    std::string password;
    std::string key;
  };
  static constexpr std::size_t kKeysMax = 100'000;
  std::unordered_map<std::string, Made> keys_;
};

}  // namespace devicetrust::simulator
