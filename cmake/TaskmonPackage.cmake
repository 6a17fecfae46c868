# SPDX-License-Identifier: Apache-2.0
# What is installed besides the programs, and the Debian package: `./dev package`.

set(TASKMON_PACKAGING ${CMAKE_SOURCE_DIR}/packaging)

install(FILES ${TASKMON_PACKAGING}/taskmond.toml DESTINATION /etc/taskmon)
install(DIRECTORY DESTINATION /etc/taskmon/apps.d)
install(FILES ${TASKMON_PACKAGING}/systemd/taskmond.service ${TASKMON_PACKAGING}/systemd/taskmond.socket
              ${TASKMON_PACKAGING}/systemd/taskmon-exporter.service
        DESTINATION lib/systemd/system)
install(FILES ${TASKMON_PACKAGING}/sysusers.d/taskmon.conf DESTINATION lib/sysusers.d)
install(FILES ${TASKMON_PACKAGING}/tmpfiles.d/taskmon.conf DESTINATION lib/tmpfiles.d)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/CHANGELOG.md ${CMAKE_SOURCE_DIR}/SECURITY.md
        DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/taskmon)
install(FILES ${TASKMON_PACKAGING}/deb/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/taskmon)
install(FILES ${TASKMON_PACKAGING}/rules.toml ${TASKMON_PACKAGING}/apps.toml
              ${TASKMON_PACKAGING}/prometheus/prometheus.yml ${TASKMON_PACKAGING}/prometheus/taskmon-alerts.yml
        DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/taskmon/examples)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME taskmon)
set(CPACK_PACKAGE_CONTACT "taskmon developers <taskmon@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "flight recorder for processes and threads")
set(CPACK_PACKAGE_DESCRIPTION
    "Records through BPF what every process and thread of the machine does: CPU, memory, disk, network, waits, and the
exact life and death of even the shortest task. taskmonctl shows it now, as it happens, and as it was.")
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/package)
# Absolute places such as /etc are only respected so.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "init-system-helpers (>= 1.54), passwd")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS systemd)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${TASKMON_PACKAGING}/deb/conffiles ${TASKMON_PACKAGING}/deb/postinst ${TASKMON_PACKAGING}/deb/prerm
    ${TASKMON_PACKAGING}/deb/postrm)
include(CPack)
