#include "libs/pki/subject.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include "libs/pki/openssl.h"

namespace devicetrust::pki {

std::string OrganizationOf(const Certificate& certificate) {
  const Bytes der = certificate.subject_der();
  const unsigned char* cursor = der.data();
  const X509NamePtr name(d2i_X509_NAME(nullptr, &cursor, static_cast<long>(der.size())));
  if (name == nullptr) {
    ERR_clear_error();
    return {};
  }
  const int index = X509_NAME_get_index_by_NID(name.get(), NID_organizationName, -1);
  if (index < 0) return {};
  unsigned char* utf8 = nullptr;
  const ASN1_STRING* const text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name.get(), index));
  const int size = ASN1_STRING_to_UTF8(&utf8, text);
  if (size < 0) {
    ERR_clear_error();
    return {};
  }
  const BytesPtr owner(utf8);
  return {reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size)};
}

}  // namespace devicetrust::pki
