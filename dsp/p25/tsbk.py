"""Trunking signalling blocks: the twelve bytes of a control channel (TIA-102.AABB-B clause 5, TIA-102.AABC-E).

    octet 0   LB (last block) · P (payload encrypted) · opcode (6 bits)
    octet 1   manufacturer's id
    octet 2…9 as the opcode says, which depends on the direction: outbound from the fixed station, or inbound
    octet 10  CRC of 16 bits

A block of a manufacturer other than the standard's, or with an opcode nobody named, keeps its bytes and has no fields.
"""

from dataclasses import dataclass

from dsp.errors import ShapeError
from dsp.fec import crc
from dsp.p25 import vendors
from dsp.p25.fields import Layout, service_options

LENGTH = 12

_UNITS = "target 32-55 source 56-79"
_SUID = "wacn 24-43 system 44-55"
_SERVICE = "additional 16 service_type 18-23 "
_SITE = "lra 16-23 active 27 system 28-39 rfss 40-47 site 48-55 channel 56-71 service_class 72-79"
_ADJACENT = (
    "lra 16-23 conventional 24 failed 25 valid 26 active 27 system 28-39 rfss 40-47 site 48-55 channel 56-71 "
    "service_class 72-79"
)
_BAND = "spacing 38-47 base 48-79"
_GRANT = "service_options 16-23 channel 24-39 "

# TIA-102.AABC-E, outbound (FNE to SU).
OUTBOUND = {
    0x00: Layout("GRP_V_CH_GRANT", "Group Voice Channel Grant", _GRANT + "talkgroup 40-55 source 56-79", "4.2.1"),
    0x02: Layout(
        "GRP_V_CH_GRANT_UPDT",
        "Group Voice Channel Grant Update",
        "channel 16-31 talkgroup 32-47 channel_b 48-63 talkgroup_b 64-79",
        "4.2.2",
    ),
    0x03: Layout(
        "GRP_V_CH_GRANT_UPDT_EXP",
        "Group Voice Channel Grant Update - Explicit",
        "service_options 16-23 channel 32-47 channel_rx 48-63 talkgroup 64-79",
        "4.2.3",
    ),
    0x04: Layout("UU_V_CH_GRANT", "Unit to Unit Voice Channel Grant", "channel 16-31 " + _UNITS, "4.2.5"),
    0x05: Layout("UU_ANS_REQ", "Unit to Unit Answer Request", "service_options 16-23 " + _UNITS, "4.2.4"),
    0x06: Layout("UU_V_CH_GRANT_UPDT", "Unit to Unit Voice Channel Grant Update", "channel 16-31 " + _UNITS, "4.2.8"),
    0x08: Layout(
        "TELE_INT_CH_GRANT",
        "Telephone Interconnect Voice Channel Grant",
        _GRANT + "call_timer 40-55 source 56-79",
        "4.2.6",
    ),
    0x09: Layout(
        "TELE_INT_CH_GRANT_UPDT",
        "Telephone Interconnect Voice Channel Grant Update",
        _GRANT + "call_timer 40-55 address 56-79",
        "4.2.9",
    ),
    0x0A: Layout("TELE_INT_ANS_REQ", "Telephone Interconnect Answer Request", "digits 16-55 target 56-79"),
    0x10: Layout("IND_DATA_CH_GRANT", "Individual Data Channel Grant (obsolete)"),
    0x11: Layout("GRP_DATA_CH_GRANT", "Group Data Channel Grant (obsolete)"),
    0x12: Layout("GRP_DATA_CH_ANN", "Group Data Channel Announcement (obsolete)"),
    0x13: Layout("GRP_DATA_CH_ANN_EXP", "Group Data Channel Announcement Explicit (obsolete)"),
    0x14: Layout(
        "SN_DATA_CHN_GNT",
        "SNDCP Data Channel Grant",
        "data_service_options 16-23 channel 24-39 channel_rx 40-55 target 56-79",
        "5.2.5",
    ),
    0x15: Layout("SN_DATA_PAGE_REQ", "SNDCP Data Page Request", "data_service_options 16-23 " + _UNITS, "5.2.6"),
    0x16: Layout(
        "SN_DATA_CHN_ANN_EXP",
        "SNDCP Data Channel Announcement - Explicit",
        "data_service_options 16-23 autonomous 24 requested 25 channel 32-47 channel_rx 48-63 data_access 64-79",
        "5.2.7",
    ),
    0x18: Layout("STS_UPDT", "Status Update", "status 16-31 " + _UNITS),
    0x1A: Layout("STS_Q", "Status Query", _UNITS),
    0x1C: Layout("MSG_UPDT", "Message Update", "message 16-31 " + _UNITS),
    0x1D: Layout("RAD_MON_CMD", "Radio Unit Monitor Command", "tx_multiplier 30-31 " + _UNITS),
    0x1E: Layout("RAD_MON_ENH_CMD", "Radio Unit Monitor Enhanced Command"),
    0x1F: Layout("CALL_ALRT", "Call Alert", _UNITS),
    0x20: Layout("ACK_RSP_FNE", "Acknowledge Response - FNE", _SERVICE + "extended 17 target 56-79", "6.2.1"),
    0x21: Layout("QUE_RSP", "Queued Response", _SERVICE + "reason 24-31 information 32-55 target 56-79", "6.2.14"),
    0x24: Layout("EXT_FNCT_CMD", "Extended Function Command", "function 16-31 arguments 32-55 target 56-79", "6.2.6"),
    0x27: Layout("DENY_RSP", "Deny Response", _SERVICE + "reason 24-31 information 32-55 target 56-79", "6.2.5"),
    0x28: Layout(
        "GRP_AFF_RSP",
        "Group Affiliation Response",
        "local 16 response 22-23 announcement_group 24-39 talkgroup 40-55 target 56-79",
        "6.2.8",
    ),
    0x29: Layout(
        "SCCB_EXP",
        "Secondary Control Channel Broadcast - Explicit",
        "rfss 16-23 site 24-31 channel 32-47 channel_rx 56-71 service_class 72-79",
        "6.2.28",
    ),
    0x2A: Layout("GRP_AFF_Q", "Group Affiliation Query", _UNITS, "6.2.7"),
    0x2B: Layout(
        "LOC_REG_RSP",
        "Location Registration Response",
        "response 22-23 talkgroup 24-39 rfss 40-47 site 48-55 target 56-79",
        "6.2.23",
    ),
    0x2C: Layout(
        "U_REG_RSP",
        "Unit Registration Response",
        "response 18-19 system 20-31 source_id 32-55 source 56-79",
        "6.2.21",
    ),
    0x2D: Layout("U_REG_CMD", "Unit Registration Command", _UNITS, "6.2.20"),
    0x2E: Layout("AUTH_CMD", "Authentication Command (obsolete)"),
    0x2F: Layout("U_DE_REG_ACK", "De-Registration Acknowledge", _SUID + " target 56-79", "6.2.22"),
    0x30: Layout(
        "SYNC_BCST",
        "Synchronization Broadcast",
        "year 40-46 month 47-50 day 51-55 hours 56-60 minutes 61-66 microslots 67-79",
        "6.2.33",
    ),
    0x31: Layout("AUTH_DMD", "Authentication Demand", _SUID + " target 56-79", "6.2.30"),
    0x32: Layout("AUTH_FNE_RESP", "Authentication FNE Response", _SUID + " target 56-79", "6.2.31"),
    0x33: Layout(
        "IDEN_UP_TDMA",
        "Identifier Update for TDMA",
        "band 16-19 channel_type 20-23 offset_up 24 offset 25-37 " + _BAND,
        "6.2.32",
    ),
    0x34: Layout(
        "IDEN_UP_VU",
        "Identifier Update for VHF/UHF Bands",
        "band 16-19 bandwidth 20-23 offset_up 24 offset 25-37 " + _BAND,
        "6.2.29",
    ),
    0x35: Layout(
        "TIME_DATE_ANN",
        "Time and Date Announcement",
        "date_valid 16 time_valid 17 offset_valid 18 local_offset 20-31 month 32-35 day 36-40 year 41-53 hours 56-60 "
        "minutes 61-66 seconds 67-72",
        "6.2.27",
    ),
    0x36: Layout(
        "ROAM_ADDR_CMD", "Roaming Address Command", "stack_operation 16-23 " + _SUID + " target 56-79", "6.2.25"
    ),
    0x37: Layout(
        "ROAM_ADDR_UPDT",
        "Roaming Address Update",
        "last_message 16 message_sequence 20-23 " + _SUID + " target 56-79",
        "6.2.26",
    ),
    0x38: Layout(
        "SYS_SRV_BCST",
        "System Service Broadcast",
        "available 24-47 supported 48-71 request_priority 72-79",
        "6.2.19",
    ),
    0x39: Layout(
        "SCCB",
        "Secondary Control Channel Broadcast",
        "rfss 16-23 site 24-31 channel 32-47 service_class 48-55 channel_b 56-71 service_class_b 72-79",
        "6.2.16",
    ),
    0x3A: Layout("RFSS_STS_BCST", "RFSS Status Broadcast", _SITE, "6.2.15"),
    0x3B: Layout(
        "NET_STS_BCST",
        "Network Status Broadcast",
        "lra 16-23 " + _SUID + " channel 56-71 service_class 72-79",
        "6.2.11",
    ),
    0x3C: Layout("ADJ_STS_BCST", "Adjacent Status Broadcast", _ADJACENT, "6.2.2"),
    0x3D: Layout(
        "IDEN_UP", "Identifier Update", "band 16-19 bandwidth 20-28 offset_up 29 offset 30-37 " + _BAND, "6.2.9"
    ),
    0x3E: Layout("ADJ_STS_BCST_UNC", "Adjacent Status Broadcast Uncoordinated", _ADJACENT),
}

# TIA-102.AABC-E, inbound (SU to FNE).
INBOUND = {
    0x00: Layout(
        "GRP_V_REQ", "Group Voice Service Request", "service_options 16-23 talkgroup 40-55 source 56-79", "4.1.1"
    ),
    0x04: Layout("UU_V_REQ", "Unit to Unit Voice Service Request", "service_options 16-23 " + _UNITS, "4.1.2"),
    0x05: Layout(
        "UU_ANS_RSP", "Unit to Unit Answer Response", "service_options 16-23 response 24-31 " + _UNITS, "4.1.3"
    ),
    0x08: Layout("TELE_INT_DIAL_REQ", "Telephone Interconnect Explicit Dial Request", "", "4.1.4"),
    0x09: Layout(
        "TELE_INT_PSTN_REQ",
        "Telephone Interconnect PSTN Request",
        "service_options 16-23 pstn_address 48-55 source 56-79",
        "4.1.5",
    ),
    0x0A: Layout(
        "TELE_INT_ANS_RSP",
        "Telephone Interconnect Answer Response",
        "service_options 16-23 response 24-31 source 56-79",
        "4.1.6",
    ),
    0x10: Layout("IND_DATA_REQ", "Individual Data Service Request (obsolete)"),
    0x11: Layout("GRP_DATA_REQ", "Group Data Service Request (obsolete)"),
    0x12: Layout(
        "SN_DATA_CHN_REQ",
        "SNDCP Data Channel Request",
        "data_service_options 16-23 data_access 24-39 source 56-79",
        "5.1.3",
    ),
    0x13: Layout(
        "SN_DATA_PAGE_RES",
        "SNDCP Data Page Response",
        "data_service_options 16-23 response 24-31 data_access 32-47 source 56-79",
        "5.1.4",
    ),
    0x14: Layout("SN_REC_REQ", "SNDCP Reconnect Request", "data_service_options 16-23 data_access 24-39 source 56-79"),
    0x18: Layout("STS_UPDT_REQ", "Status Update Request", "status 16-31 " + _UNITS),
    0x19: Layout("STS_Q_RSP", "Status Query Response", "status 16-31 " + _UNITS),
    0x1A: Layout("STS_Q_REQ", "Status Query Request", _UNITS, "6.1.13"),
    0x1C: Layout("MSG_UPDT_REQ", "Message Update Request", "message 16-31 " + _UNITS, "6.1.11"),
    0x1D: Layout("RAD_MON_REQ", "Radio Unit Monitor Request", "tx_multiplier 30-31 " + _UNITS, "6.1.19"),
    0x1E: Layout("RAD_MON_ENH_REQ", "Radio Unit Monitor Enhanced Request", "", "6.1.26"),
    0x1F: Layout("CALL_ALRT_REQ", "Call Alert Request", _UNITS, "6.1.4"),
    0x20: Layout("ACK_RSP_U", "Acknowledge Response - Unit", _SERVICE + _UNITS, "6.1.1"),
    0x23: Layout(
        "CAN_SRV_REQ", "Cancel Service Request", _SERVICE + "reason 24-31 information 32-55 source 56-79", "6.1.5"
    ),
    0x24: Layout("EXT_FNCT_RSP", "Extended Function Response", "function 16-31 arguments 32-55 source 56-79", "6.1.7"),
    0x27: Layout(
        "EMRG_ALRM_REQ",
        "Emergency Alarm Request",
        "additional_code 16 accessory 21 vehicle 22 man_down 23 code 24-31 talkgroup 40-55 source 56-79",
        "6.1.6",
    ),
    0x28: Layout("GRP_AFF_REQ", "Group Affiliation Request", "system 28-39 talkgroup 40-55 source 56-79", "6.1.9"),
    0x29: Layout(
        "GRP_AFF_Q_RSP",
        "Group Affiliation Query Response",
        "announcement_group 24-39 talkgroup 40-55 source 56-79",
        "6.1.8",
    ),
    0x2B: Layout("U_DE_REG_REQ", "De-Registration Request", _SUID + " source 56-79", "6.1.17"),
    0x2C: Layout(
        "U_REG_REQ",
        "Unit Registration Request",
        "emergency 16 capabilities 17-23 " + _SUID + " source 56-79",
        "6.1.16",
    ),
    0x2D: Layout(
        "LOC_REG_REQ",
        "Location Registration Request",
        "emergency 16 capabilities 17-23 lra 32-39 talkgroup 40-55 source 56-79",
        "6.1.18",
    ),
    0x30: Layout("P_PARM_REQ", "Protection Parameter Request (obsolete)"),
    0x32: Layout("IDEN_UP_REQ", "Identifier Update Request", "all_bands 16 band 20-23 source 56-79", "6.1.10"),
    0x36: Layout("ROAM_ADDR_REQ", "Roaming Address Request", _UNITS, "6.1.20"),
    0x37: Layout(
        "ROAM_ADDR_RSP",
        "Roaming Address Response",
        "last_message 16 message_sequence 20-23 " + _SUID + " source 56-79",
        "6.1.21",
    ),
    0x38: Layout("AUTH_RESP", "Authentication Response", "standalone 23 result 24-55 source 56-79", "6.1.23"),
    0x39: Layout("AUTH_RESP_M", "Authentication Response Mutual", "", "6.1.24"),
    0x3A: Layout("AUTH_FNE_RST", "Authentication FNE Result", "passed 16 standalone 23 source 56-79", "6.1.22"),
    0x3B: Layout("AUTH_SU_DMD", "Authentication SU Demand", "source 56-79", "6.1.25"),
}

# The two ways to read octets 3 to 6 of ACK_RSP_FNE, by its bit "extended" (clause 6.2.1).
_ACK_EXTENDED = Layout("ACK_RSP_FNE", "Acknowledge Response - FNE", OUTBOUND[0x20].text + " " + _SUID, "6.2.1")
_ACK_SHORT = Layout("ACK_RSP_FNE", "Acknowledge Response - FNE", OUTBOUND[0x20].text + " source 32-55", "6.2.1")


@dataclass(frozen=True, slots=True)
class Tsbk:
    """One trunking block: its twelve bytes, and what they say.

    outbound: sent by the fixed station. Unless `valid`, nothing the block says may be acted on.
    """

    data: bytes
    outbound: bool = True

    @classmethod
    def parse(cls, data: bytes, *, outbound: bool = True) -> "Tsbk":
        """From twelve bytes. Raises `ShapeError`."""
        if len(data) != LENGTH:
            raise ShapeError(f"trunking block of {len(data)} bytes; it has {LENGTH}")
        return cls(bytes(data), outbound)

    def encode(self) -> bytes:
        """The twelve bytes."""
        return self.data

    @classmethod
    def build(
        cls,
        opcode: int,
        fields: dict[str, int] | None = None,
        *,
        last: bool = True,
        outbound: bool = True,
        mfid: int = 0,
    ) -> "Tsbk":
        """A block with the given fields set and a right CRC. Raises `RangeError`."""
        head = bytes([last << 7 | opcode & 0x3F, mfid]) + bytes(LENGTH - 4)
        if opcode == 0x20 and outbound and fields and fields.get("extended"):
            head = head[:2] + b"\x40" + head[3:]
        layout = cls(head + bytes(2), outbound).layout or Layout(f"TSBK ${opcode:02X}", "")
        body = layout.write(head, fields or {})
        return cls(body + crc.ccitt(body).to_bytes(2), outbound)

    @property
    def valid(self) -> bool:
        """The CRC is right."""
        return crc.ccitt(self.data[:-2]) == int.from_bytes(self.data[-2:])

    @property
    def last(self) -> bool:
        """No further block follows in this unit."""
        return bool(self.data[0] & 0x80)

    @property
    def protected(self) -> bool:
        """The block is encrypted; nothing beyond the opcode can be read."""
        return bool(self.data[0] & 0x40)

    @property
    def opcode(self) -> int:
        """Opcode, 6 bits."""
        return self.data[0] & 0x3F

    @property
    def mfid(self) -> int:
        """Manufacturer's id."""
        return self.data[1]

    @property
    def layout(self) -> Layout | None:
        """What is known of this block; None if nothing."""
        if self.mfid not in vendors.STANDARD:
            return None
        if self.outbound and self.opcode == 0x20:
            return _ACK_EXTENDED if self.data[2] & 0x40 else _ACK_SHORT
        return (OUTBOUND if self.outbound else INBOUND).get(self.opcode)

    @property
    def name(self) -> str:
        """Short name of the message, or its numbers."""
        layout = self.layout
        return layout.name if layout else f"TSBK ${self.opcode:02X} MFID ${self.mfid:02X}"

    def fields(self) -> dict[str, int | bool | str | float]:
        """What the block says, for reports. An encrypted or damaged block has only its name."""
        said: dict[str, int | bool | str | float] = {"opcode": self.opcode, "name": self.name}
        if self.mfid:
            said["mfid"] = self.mfid
        if not self.valid:
            return said | {"crc": False}
        if self.protected:
            return said | {"protected": True}
        layout = self.layout
        if layout is None:
            return said
        values = layout.read(self.data)
        said |= values
        if "service_options" in values:
            said |= service_options(values["service_options"])
        if "base" in values:
            said["base_hz"] = 5 * values["base"]
            said["spacing_hz"] = 125 * values["spacing"]
            step = 250_000 if self.opcode == 0x3D else 125 * values["spacing"]
            said["offset_hz"] = (1 if values["offset_up"] else -1) * values["offset"] * step
        return said
