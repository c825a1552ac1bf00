// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Names of IP protocols and EtherTypes, as their registries have them.
 * A table of our own: /etc/protocols is not on every host, and differs where it is. */
#include "host/protocol_name.h"

#include "base/buf.h"

/* IANA, "Assigned Internet Protocol Numbers", the keywords; numbers without one are left out. ICMP
 * for IPv6 is IPv6-ICMP there, and ICMPv6 everywhere else. */
static const char *const protocols[256] = {
	[0] = "HOPOPT",
	[1] = "ICMP",
	[2] = "IGMP",
	[3] = "GGP",
	[4] = "IPv4",
	[5] = "ST",
	[6] = "TCP",
	[7] = "CBT",
	[8] = "EGP",
	[9] = "IGP",
	[10] = "BBN-RCC-MON",
	[11] = "NVP-II",
	[12] = "PUP",
	[13] = "ARGUS",
	[14] = "EMCON",
	[15] = "XNET",
	[16] = "CHAOS",
	[17] = "UDP",
	[18] = "MUX",
	[19] = "DCN-MEAS",
	[20] = "HMP",
	[21] = "PRM",
	[22] = "XNS-IDP",
	[23] = "TRUNK-1",
	[24] = "TRUNK-2",
	[25] = "LEAF-1",
	[26] = "LEAF-2",
	[27] = "RDP",
	[28] = "IRTP",
	[29] = "ISO-TP4",
	[30] = "NETBLT",
	[31] = "MFE-NSP",
	[32] = "MERIT-INP",
	[33] = "DCCP",
	[34] = "3PC",
	[35] = "IDPR",
	[36] = "XTP",
	[37] = "DDP",
	[38] = "IDPR-CMTP",
	[39] = "TP++",
	[40] = "IL",
	[41] = "IPv6",
	[42] = "SDRP",
	[43] = "IPv6-Route",
	[44] = "IPv6-Frag",
	[45] = "IDRP",
	[46] = "RSVP",
	[47] = "GRE",
	[48] = "DSR",
	[49] = "BNA",
	[50] = "ESP",
	[51] = "AH",
	[52] = "I-NLSP",
	[53] = "SWIPE",
	[54] = "NARP",
	[55] = "Min-IPv4",
	[56] = "TLSP",
	[57] = "SKIP",
	[58] = "ICMPv6",
	[59] = "IPv6-NoNxt",
	[60] = "IPv6-Opts",
	[62] = "CFTP",
	[64] = "SAT-EXPAK",
	[65] = "KRYPTOLAN",
	[66] = "RVD",
	[67] = "IPPC",
	[69] = "SAT-MON",
	[70] = "VISA",
	[71] = "IPCV",
	[72] = "CPNX",
	[73] = "CPHB",
	[74] = "WSN",
	[75] = "PVP",
	[76] = "BR-SAT-MON",
	[77] = "SUN-ND",
	[78] = "WB-MON",
	[79] = "WB-EXPAK",
	[80] = "ISO-IP",
	[81] = "VMTP",
	[82] = "SECURE-VMTP",
	[83] = "VINES",
	[84] = "IPTM",
	[85] = "NSFNET-IGP",
	[86] = "DGP",
	[87] = "TCF",
	[88] = "EIGRP",
	[89] = "OSPFIGP",
	[90] = "Sprite-RPC",
	[91] = "LARP",
	[92] = "MTP",
	[93] = "AX.25",
	[94] = "IPIP",
	[95] = "MICP",
	[96] = "SCC-SP",
	[97] = "ETHERIP",
	[98] = "ENCAP",
	[100] = "GMTP",
	[101] = "IFMP",
	[102] = "PNNI",
	[103] = "PIM",
	[104] = "ARIS",
	[105] = "SCPS",
	[106] = "QNX",
	[107] = "A/N",
	[108] = "IPComp",
	[109] = "SNP",
	[110] = "Compaq-Peer",
	[111] = "IPX-in-IP",
	[112] = "VRRP",
	[113] = "PGM",
	[115] = "L2TP",
	[116] = "DDX",
	[117] = "IATP",
	[118] = "STP",
	[119] = "SRP",
	[120] = "UTI",
	[121] = "SMP",
	[122] = "SM",
	[123] = "PTP",
	[124] = "ISIS-over-IPv4",
	[125] = "FIRE",
	[126] = "CRTP",
	[127] = "CRUDP",
	[128] = "SSCOPMCE",
	[129] = "IPLT",
	[130] = "SPS",
	[131] = "PIPE",
	[132] = "SCTP",
	[133] = "FC",
	[134] = "RSVP-E2E-IGNORE",
	[135] = "Mobility-Header",
	[136] = "UDPLite",
	[137] = "MPLS-in-IP",
	[138] = "manet",
	[139] = "HIP",
	[140] = "Shim6",
	[141] = "WESP",
	[142] = "ROHC",
	[143] = "Ethernet",
	[144] = "AGGFRAG",
	[145] = "NSH",
};

static const struct {
	uint16_t type;
	const char *name;
} types[] = {
	/* IEEE 802 Numbers, "EtherType": those that are met; LLC stands for 802.3 lengths */
	{0x0004, "LLC"},
	{0x0800, "IPv4"},
	{0x0806, "ARP"},
	{0x0842, "WoL"},
	{0x22f0, "AVTP"},
	{0x6558, "TEB"},
	{0x8035, "RARP"},
	{0x8100, "VLAN"},
	{0x8137, "IPX"},
	{0x86dd, "IPv6"},
	{0x8808, "PAUSE"},
	{0x8809, "LACP"},
	{0x8847, "MPLS"},
	{0x8848, "MPLS-multicast"},
	{0x8863, "PPPoE-discovery"},
	{0x8864, "PPPoE"},
	{0x888e, "EAPOL"},
	{0x8892, "PROFINET"},
	{0x88a2, "AoE"},
	{0x88a4, "EtherCAT"},
	{0x88a8, "QinQ"},
	{0x88cc, "LLDP"},
	{0x88e5, "MACsec"},
	{0x88f7, "PTP"},
	{0x8906, "FCoE"},
	{0x8914, "FIP"},
	{0x8915, "RoCE"},
	{0x9000, "loopback"},
};

const char *ip_protocol_name(uint8_t protocol)
{
	return protocols[protocol];
}

const char *ethertype_name(uint16_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].type == type)
			return types[i].name;
	return NULL;
}

struct text protocol_word(bool is_ip, uint8_t protocol, uint16_t type, char room[PROTOCOL_WORD])
{
	const char *name = is_ip ? ip_protocol_name(protocol) : ethertype_name(type);
	struct buf b = {.p = room, .cap = PROTOCOL_WORD};

	if (name || (!is_ip && !type))
		return text_of(name);
	buf_printf(&b, is_ip ? "%u" : "0x%04x", is_ip ? protocol : type);
	return buf_text(&b);
}
