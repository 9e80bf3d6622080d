"""Link control words: nine bytes that say who talks to whom (TIA-102.AABF-D).

    octet 0   P (payload encrypted) · SF (implicit MFID) · opcode (6 bits)
    octet 1   manufacturer's id if SF = 0
    rest      as the opcode says

A word of a manufacturer other than the standard's, or with an opcode nobody named, keeps its bytes and has no fields.
The manufacturers' layouts are not in any standard; they are those seen on the air by several public decoders.
"""

from dataclasses import dataclass

from dsp.errors import ShapeError
from dsp.p25 import vendors
from dsp.p25.fields import Layout, service_options

LENGTH = 9

_UNITS = "target 24-47 source 48-71"

# TIA-102.AABF-D Table 2 and clause 7.3.
STANDARD = {
    0x00: Layout(
        "LC_GRP_V_CH_USR",
        "Group Voice Channel User",
        "service_options 16-23 source_extension 31 talkgroup 32-47 source 48-71",
        "7.3.1",
    ),
    0x02: Layout(
        "LC_GRP_V_CH_UPDT",
        "Group Voice Channel Update",
        "channel 8-23 talkgroup 24-39 channel_b 40-55 talkgroup_b 56-71",
        "7.3.2",
    ),
    0x03: Layout("LC_UU_V_CH_USR", "Unit to Unit Voice Channel User", "service_options 16-23 " + _UNITS, "7.3.3"),
    0x04: Layout(
        "LC_GRP_CH_UPDT_EXP",
        "Group Voice Channel Update - Explicit",
        "service_options 16-23 talkgroup 24-39 channel 40-55 channel_rx 56-71",
        "7.3.4",
    ),
    0x05: Layout(
        "LC_UU_ANS_REQ", "Unit to Unit Answer Request", "service_options 8-15 source_extension 23 " + _UNITS, "7.3.5"
    ),
    0x06: Layout(
        "LC_TELE_INT_V_CH_USR",
        "Telephone Interconnect Voice Channel User",
        "service_options 16-23 call_timer 32-47 address 48-71",
        "7.3.6",
    ),
    0x07: Layout("LC_TELE_INT_ANS_REQ", "Telephone Interconnect Answer Request", "digits 8-47 target 48-71", "7.3.7"),
    0x09: Layout("LC_SOURCE_ID_EXT", "Source ID Extension", "wacn 16-35 system 36-47 source 48-71", "7.3.32"),
    0x0A: Layout(
        "LC_UU_V_CH_USR_EXT",
        "Unit to Unit Voice Channel User - Extended",
        "source_extension 15 service_options 16-23 " + _UNITS,
        "7.3.29",
    ),
    0x0F: Layout("LC_CALL_TRM_CAN", "Call Termination/Cancellation", "address 48-71", "7.3.8"),
    0x10: Layout("LC_GRP_AFF_Q", "Group Affiliation Query", _UNITS, "7.3.9"),
    0x11: Layout("LC_U_REG_CMD", "Unit Registration Command", "wacn 8-27 system 28-39 target 40-63", "7.3.10"),
    0x13: Layout("LC_STS_Q", "Status Query", "source_extension 15 " + _UNITS, "7.3.12"),
    0x14: Layout("LC_STS_UPDT", "Status Update", "status 8-23 " + _UNITS, "7.3.18"),
    0x15: Layout("LC_MSG_UPDT", "Message Update", "message 8-23 " + _UNITS, "7.3.19"),
    0x16: Layout("LC_CALL_ALRT", "Call Alert", "source_extension 15 " + _UNITS, "7.3.20"),
    0x17: Layout("LC_EXT_FNCT_CMD", "Extended Function Command", "function 8-31 target 48-71", "7.3.21"),
    0x18: Layout(
        "LC_CH_ID_UPDT",
        "Channel Identifier Update",
        "band 8-11 bandwidth 12-20 offset_up 21 offset 22-29 spacing 30-39 base 40-71",
        "7.3.22",
    ),
    0x19: Layout(
        "LC_CH_ID_UPDT_VU",
        "Channel Identifier Update VU",
        "band 8-11 bandwidth 12-15 offset_up 16 offset 17-29 spacing 30-39 base 40-71",
        "7.3.26",
    ),
    0x1A: Layout("LC_STS_UPDT_SRC_RQRD", "Status Update - Source ID Required", "status 8-23 " + _UNITS, "7.3.30"),
    0x1B: Layout("LC_MSG_UPDT_SRC_RQRD", "Message Update - Source ID Required", "message 8-23 " + _UNITS, "7.3.31"),
    0x1C: Layout(
        "LC_EXT_FNCT_CMD_SRC_RQRD",
        "Extended Function Command - Source ID Required",
        "function 8-31 target 48-71",
        "7.3.33",
    ),
    0x20: Layout(
        "LC_SYS_SRV_BCST",
        "System Service Broadcast",
        "wuid_validity 8-15 request_priority 21-23 available 24-47 supported 48-71",
        "7.3.13",
    ),
    0x21: Layout(
        "LC_SCCB",
        "Secondary Control Channel Broadcast",
        "rfss 8-15 site 16-23 channel 24-39 service_class 40-47 channel_b 48-63 service_class_b 64-71",
        "7.3.14",
    ),
    0x22: Layout(
        "LC_ADJ_STS_BCST",
        "Adjacent Site Status Broadcast",
        "lra 8-15 conventional 16 failed 17 valid 18 active 19 system 20-31 rfss 32-39 site 40-47 channel 48-63 "
        "service_class 64-71",
        "7.3.15",
    ),
    0x23: Layout(
        "LC_RFSS_STS_BCST",
        "RFSS Status Broadcast",
        "lra 8-15 system 20-31 rfss 32-39 site 40-47 channel 48-63 service_class 64-71",
        "7.3.16",
    ),
    0x24: Layout(
        "LC_NET_STS_BCST",
        "Network Status Broadcast",
        "wacn 16-35 system 36-47 channel 48-63 service_class 64-71",
        "7.3.17",
    ),
    0x26: Layout(
        "LC_SCCB_EXP",
        "Secondary Control Channel Broadcast - Explicit",
        "rfss 8-15 site 16-23 channel 24-39 channel_rx 40-55 service_class 56-63",
        "7.3.24",
    ),
    0x27: Layout(
        "LC_ADJ_STS_BCST_EXP",
        "Adjacent Site Status Broadcast - Explicit",
        "lra 8-15 channel 16-31 rfss 32-39 site 40-47 channel_rx 48-63 conventional 64 failed 65 valid 66 active 67",
        "7.3.25",
    ),
    0x28: Layout(
        "LC_RFSS_STS_BCST_EXP",
        "RFSS Status Broadcast - Explicit",
        "lra 8-15 channel_rx 16-31 rfss 32-39 site 40-47 channel 48-63 service_class 64-71",
        "7.3.27",
    ),
    0x29: Layout(
        "LC_NET_STS_BCST_EXP",
        "Network Status Broadcast - Explicit",
        "wacn 8-27 system 28-39 channel 40-55 channel_rx 56-71",
        "7.3.28",
    ),
    0x2A: Layout(
        "LC_CONV_FALLBACK",
        "Conventional Fallback Indication",
        "alert_tone 16 failsoft 17 fallback_1 24-31 fallback_2 32-39 fallback_3 40-47 fallback_4 48-55 "
        "fallback_5 56-63 fallback_6 64-71",
        "7.3.34",
    ),
}

VENDOR = {
    vendors.MOTOROLA: {
        0x00: Layout(
            "MOT_GRG_CN_USR",
            "Motorola Group Regroup Voice Channel User",
            "service_options 16-23 talkgroup 32-47 source 48-71",
        ),
        0x01: Layout("MOT_GRG_UPDT", "Motorola Group Regroup Voice Channel Update"),
        0x02: Layout("MOT_FAILSOFT", "Motorola Failsoft"),
        0x03: Layout("MOT_GRG_ADD", "Motorola Group Regroup Add"),
        0x04: Layout("MOT_GRG_DEL", "Motorola Group Regroup Delete"),
        0x06: Layout("MOT_UNIT_GPS", "Motorola Unit GPS", "latitude 24-47 longitude 48-71"),
        0x0A: Layout("MOT_EMERG_ALARM", "Motorola Emergency Alarm Activation"),
        0x0F: Layout("MOT_TALK_COMPLETE", "Motorola Talk Complete", "source 48-71"),
        0x15: Layout(
            "MOT_TALKER_ALIAS_HDR",
            "Motorola Talker Alias Header",
            "talkgroup 16-31 blocks 32-39 format 40-47 sequence 56-59 checksum 60-71",
        ),
        0x17: Layout(
            "MOT_TALKER_ALIAS_DATA", "Motorola Talker Alias Data", "block 16-23 sequence 24-27 alias_data 28-71"
        ),
    },
    vendors.HARRIS: {
        0x0A: Layout("HAR_RETURN_CC", "Harris Return to Control Channel"),
        0x2A: Layout("HAR_TALKER_GPS_1", "Harris Talker GPS Block 1"),
        0x2B: Layout("HAR_TALKER_GPS_2", "Harris Talker GPS Block 2"),
        0x32: Layout("HAR_TALKER_ALIAS_1", "Harris Talker Alias Block 1", "alias_data 16-71"),
        0x33: Layout("HAR_TALKER_ALIAS_2", "Harris Talker Alias Block 2", "alias_data 16-71"),
        0x34: Layout("HAR_TALKER_ALIAS_3", "Harris Talker Alias Block 3", "alias_data 16-71"),
        0x35: Layout("HAR_TALKER_ALIAS_4", "Harris Talker Alias Block 4", "alias_data 16-71"),
    },
}

# Words in the standard format whose octet 1 is the manufacturer's id.
_EXPLICIT = {0x00, 0x03, 0x2A}


@dataclass(frozen=True, slots=True)
class LinkControl:
    """One link control word: its nine bytes, and what they say."""

    data: bytes

    @classmethod
    def parse(cls, data: bytes) -> "LinkControl":
        """From nine bytes. Raises `ShapeError`."""
        if len(data) != LENGTH:
            raise ShapeError(f"link control word of {len(data)} bytes; it has {LENGTH}")
        return cls(bytes(data))

    def encode(self) -> bytes:
        """The nine bytes."""
        return self.data

    @classmethod
    def group_voice(
        cls, talkgroup: int, source: int, *, emergency: bool = False, encrypted: bool = False, priority: int = 4
    ) -> "LinkControl":
        """The word of a group call (opcode 0). Raises `RangeError`: talkgroup 16, source 24, priority 3 bits."""
        options = emergency << 7 | encrypted << 6
        values = {"service_options": options | priority, "talkgroup": talkgroup, "source": source}
        return cls(STANDARD[0x00].write(bytes(LENGTH), values))

    @classmethod
    def unit_voice(
        cls, target: int, source: int, *, emergency: bool = False, encrypted: bool = False, priority: int = 4
    ) -> "LinkControl":
        """The word of a call between two units (opcode 3). Raises `RangeError`: ids 24 bits, priority 3 bits."""
        options = emergency << 7 | encrypted << 6
        values = {"service_options": options | priority, "target": target, "source": source}
        return cls(STANDARD[0x03].write(b"\x03" + bytes(LENGTH - 1), values))

    @classmethod
    def call_termination(cls, address: int = 0xFFFFFF) -> "LinkControl":
        """The word of the last terminator of a call (opcode 15); address $FFFFFF is everybody. Raises `RangeError`."""
        return cls(STANDARD[0x0F].write(b"\x4f" + bytes(LENGTH - 1), {"address": address}))

    @property
    def protected(self) -> bool:
        """The word itself is encrypted (P); nothing beyond the opcode can be read."""
        return bool(self.data[0] & 0x80)

    @property
    def opcode(self) -> int:
        """Link control opcode, 6 bits."""
        return self.data[0] & 0x3F

    @property
    def mfid(self) -> int:
        """Manufacturer's id; 0 where the format implies the standard."""
        return 0 if self.data[0] & 0x40 else self.data[1]

    @property
    def layout(self) -> Layout | None:
        """What is known of this word; None if nothing."""
        if self.data[0] & 0x40 or self.mfid in vendors.STANDARD:
            layout = STANDARD.get(self.opcode)
            # A standard opcode in the other format is not the message the standard means.
            if layout is not None and (self.opcode in _EXPLICIT) == bool(self.data[0] & 0x40):
                return None
            return layout
        return VENDOR.get(self.mfid, {}).get(self.opcode)

    @property
    def name(self) -> str:
        """Short name of the message, or its numbers."""
        layout = self.layout
        return layout.name if layout else f"LCO ${self.opcode:02X} MFID ${self.mfid:02X}"

    def fields(self) -> dict[str, int | bool | str | float]:
        """What the word says, for reports: name, numbers and flags. An encrypted word has only its name."""
        said: dict[str, int | bool | str | float] = {"lc": self.name}
        if self.mfid not in vendors.STANDARD:
            said["mfid"] = self.mfid
        if self.protected:
            said["lc_protected"] = True
            return said
        if self.layout is None:
            return said
        values = self.layout.read(self.data)
        said |= values
        if "service_options" in values:
            said |= service_options(values["service_options"])
        if self.alias is not None:
            said["alias"] = self.alias
        if self.position is not None:
            said["latitude"], said["longitude"] = self.position
        return said

    def _value(self, field: str) -> int | None:
        layout = self.layout
        if layout is None or self.protected or field not in layout.fields:
            return None
        return layout.read(self.data)[field]

    @property
    def talkgroup(self) -> int | None:
        """The talkgroup this call is for; None where the word does not say (an update speaks of other channels)."""
        return self._value("talkgroup") if self.is_voice_user else None

    @property
    def source(self) -> int | None:
        """Unit id of the talker."""
        return self._value("source")

    @property
    def target(self) -> int | None:
        """Unit id of who is called."""
        return self._value("target")

    @property
    def is_voice_user(self) -> bool:
        """The word is about the call on this very channel."""
        return not self.protected and self.name in _VOICE_USERS

    @property
    def emergency(self) -> bool:
        """The call on this channel is an emergency."""
        options = self._value("service_options") if self.is_voice_user else None
        return options is not None and bool(options & 0x80)

    @property
    def encrypted(self) -> bool | None:
        """Whether the call on this channel uses encryption; None where the word does not say.

        This is the service option. The word itself may be readable all the same, see `protected`.
        """
        options = self._value("service_options") if self.is_voice_user else None
        return None if options is None else bool(options & 0x40)

    @property
    def alias(self) -> str | None:
        """The piece of the talker's alias in this word (Harris sends it in plain text)."""
        if self.mfid != vendors.HARRIS or self.protected or not 0x32 <= self.opcode <= 0x35:
            return None
        return self.data[2:].decode("latin-1").rstrip("\0 ")

    @property
    def position(self) -> tuple[float, float] | None:
        """Latitude and longitude in degrees (Motorola's unit position: 24 bits each, two's complement)."""
        if self.name != "MOT_UNIT_GPS" or self.protected:
            return None
        latitude = int.from_bytes(self.data[3:6], signed=True) * 90 / 0x7FFFFF
        longitude = int.from_bytes(self.data[6:9], signed=True) * 180 / 0x7FFFFF
        return latitude, longitude


_VOICE_USERS = {
    "LC_GRP_V_CH_USR",
    "LC_UU_V_CH_USR",
    "LC_UU_V_CH_USR_EXT",
    "LC_TELE_INT_V_CH_USR",
    "MOT_GRG_CN_USR",
}
