#include "libs/testing/test_pkcs11.h"

#include <dlfcn.h>
#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#define CRYPTOKI_GNU 1
#include <p11-kit/pkcs11.h>

namespace {

using devicetrust::testing::TestPkcs11;

TestPkcs11 wishes;
ck_function_list functions;        // What we give out.
ck_function_list* real = nullptr;  // What lies below.

ck_rv_t Sign(ck_session_handle_t session, unsigned char* data, unsigned long size,
             unsigned char* signature, unsigned long* signature_size) {
  ++wishes.signatures;
  const int now = ++wishes.signing;
  int most = wishes.signing_max;
  while (now > most && !wishes.signing_max.compare_exchange_weak(most, now)) {
  }
  static_cast<void>(poll(nullptr, 0, wishes.sign_millis));
  --wishes.signing;
  if (wishes.sign_failures > 0) {
    --wishes.sign_failures;
    static_cast<void>(real->C_Sign(session, data, size, signature, signature_size));
    return wishes.sign_result;
  }
  return real->C_Sign(session, data, size, signature, signature_size);
}

ck_rv_t GetTokenInfo(ck_slot_id_t slot, ck_token_info* info) {
  const ck_rv_t result = real->C_GetTokenInfo(slot, info);
  info->flags |= wishes.token_flags;
  return result;
}

ck_rv_t Login(ck_session_handle_t session, ck_user_type_t user, unsigned char* pin,
              unsigned long size) {
  ++wishes.logins;
  return real->C_Login(session, user, pin, size);
}

ck_rv_t OpenSession(ck_slot_id_t slot, ck_flags_t flags, void* application, ck_notify_t notify,
                    ck_session_handle_t* session) {
  ++wishes.sessions;
  return real->C_OpenSession(slot, flags, application, notify, session);
}

ck_rv_t FindObjectsInit(ck_session_handle_t session, ck_attribute* wanted, unsigned long count) {
  static ck_object_class_t nothing = CKO_HW_FEATURE;
  ck_object_class_t kind = 0;
  for (unsigned long i = 0; i < count; ++i) {
    if (wanted[i].type == CKA_CLASS) std::memcpy(&kind, wanted[i].value, sizeof kind);
  }
  if (wishes.hides_public_keys && (kind == CKO_PUBLIC_KEY || kind == CKO_CERTIFICATE)) {
    ck_attribute none{CKA_CLASS, &nothing, sizeof nothing};
    return real->C_FindObjectsInit(session, &none, 1);
  }
  return real->C_FindObjectsInit(session, wanted, count);
}

ck_rv_t GetAttributeValue(ck_session_handle_t session, ck_object_handle_t object,
                          ck_attribute* wanted, unsigned long count) {
  const ck_rv_t result = real->C_GetAttributeValue(session, object, wanted, count);
  if (result != CKR_OK || !wishes.gives_bare_points || wanted[0].type != CKA_EC_POINT ||
      wanted[0].value_len < 2) {
    return result;
  }
  // A question for the length keeps the length below: its buffer must hold what is there.
  auto* const octets = static_cast<unsigned char*>(wanted[0].value);
  if (octets == nullptr) return result;
  wanted[0].value_len -= 2;
  std::memmove(octets, octets + 2, wanted[0].value_len);
  return result;
}

}  // namespace

extern "C" {

TestPkcs11* dt_test_pkcs11() { return &wishes; }

ck_rv_t C_GetFunctionList(ck_function_list** list) {
  if (real == nullptr) {
    const char* const path = std::getenv("DT_TEST_PKCS11_MODULE");
    void* const module = path == nullptr ? nullptr : dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (module == nullptr) return CKR_GENERAL_ERROR;
    const auto below =
        reinterpret_cast<ck_rv_t (*)(ck_function_list**)>(dlsym(module, "C_GetFunctionList"));
    if (below == nullptr || below(&real) != CKR_OK) return CKR_GENERAL_ERROR;
    functions = *real;
    functions.C_Sign = &Sign;
    functions.C_GetTokenInfo = &GetTokenInfo;
    functions.C_Login = &Login;
    functions.C_OpenSession = &OpenSession;
    functions.C_FindObjectsInit = &FindObjectsInit;
    functions.C_GetAttributeValue = &GetAttributeValue;
  }
  *list = &functions;
  return CKR_OK;
}
}
