using System.Globalization;
using System.Text;

namespace Quire.Traces;

/// <content>What the options and the sections say, once they were found.</content>
internal sealed partial class DatFile
{
    private void TakeOption(DatOption id, ReadOnlySpan<byte> data, long place)
    {
        switch (id)
        {
            case DatOption.Date:
                TimeOffset += unchecked(Number(data) * 1000);
                Properties["date"] = Utf8(data);
                break;
            case DatOption.Offset:
                TimeOffset += Number(data);
                Properties["offset"] = Utf8(data);
                break;
            case DatOption.CpuStat:
                TakeCpuStat(Utf8(data));
                break;
            case DatOption.Buffer when Version == 6:
                DatReader reader = new(data, _map.Path, place, IsBigEndian);
                long offset = reader.Size();
                string name = reader.Text();
                if (name.Length > 0)
                {
                    _instances.Add((name, offset));
                }

                break;
            case DatOption.TraceClock:
                _hasClockText = true;
                Clock = SelectedClock(Utf8(data)) ?? Clock;
                break;
            case DatOption.Uname:
                Properties["uname"] = Utf8(data);
                break;
            case DatOption.CpuCount:
                _cpuCount = new DatReader(data, _map.Path, place, IsBigEndian).U32();
                break;
            case DatOption.Version:
                IsQuire |= DatProperties.TryRead(data, Properties);
                Properties["version"] = Utf8(data);
                break;
            case DatOption.TraceId when data.Length >= 8:
                Properties["trace_id"] = $"0x{new DatReader(data, _map.Path, place, IsBigEndian).U64():x}";
                break;
            case DatOption.Tsc2Nsec when data.Length >= 16:
                reader = new DatReader(data, _map.Path, place, IsBigEndian);
                Times.Cycles = (reader.U32(), (int)Math.Min(reader.U32(), 63));
                break;
            case DatOption.TimeShift when data.Length >= 16:
                reader = new DatReader(data, _map.Path, place, IsBigEndian);
                Properties["peer_trace_id"] = $"0x{reader.U64():x}";
                Times.TakeShifts(ref reader);
                break;
            case DatOption.Hook:
                Properties["hook"] = Properties.TryGetValue("hook", out string? hook) ? $"{hook}\n{Utf8(data)}" : Utf8(data);
                break;
            case DatOption.Guest:
                reader = new DatReader(data, _map.Path, place, IsBigEndian);
                Properties[$"guest {reader.Text()}"] = reader.Remaining >= 8 ? $"0x{reader.U64():x}" : "";
                break;
            case DatOption.ProcMaps or DatOption.Strings or DatOption.Btf or DatOption.LastBoot or DatOption.Modules or DatOption.Printk:
                break;
            default:
                _quality.Counter("options_unknown", TraceDoubt.Note, "Options that this program does not know.").Value++;
                break;
        }
    }

    /// <summary>What the kernel's <c>per_cpu/cpuN/stats</c> said. An instance's begin with a text that names it.</summary>
    private void TakeCpuStat(string text)
    {
        foreach (string line in text.Split('\n'))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon < 0)
            {
                continue;
            }

            ReadOnlySpan<char> name = line.AsSpan(0, colon).Trim();
            ReadOnlySpan<char> value = line.AsSpan(colon + 1).Trim();
            if (name is "Buffer")
            {
                _statBuffer = value.ToString();
                _statCpu = -1;
            }
            else if (long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long number))
            {
                if (name is "CPU")
                {
                    _statCpu = (int)Math.Min(number, int.MaxValue);
                }
                else if (_statCpu >= 0 && name is "overrun" or "dropped events")
                {
                    (long overrun, long dropped) = CpuStats.GetValueOrDefault((_statBuffer, _statCpu));
                    CpuStats[(_statBuffer, _statCpu)] = name is "overrun" ? (number, dropped) : (overrun, number);
                }
            }
        }
    }

    private void ReadHeaderInfo(ref DatReader reader)
    {
        reader.Tag("header_page\0"u8);
        long size = reader.Size();
        long place = reader.Place;
        ReadOnlySpan<byte> text = reader.Bytes(size);
        if (!text.IsEmpty)
        {
            Layout = DatPageLayout.Parse(text, _map.Path, place);
        }

        reader.Tag("header_event\0"u8);
        reader.Bytes(reader.Size());
    }

    private void ReadFtraceFormats(ref DatReader reader)
    {
        for (uint count = reader.U32(); count > 0; count--)
        {
            AddFormat("ftrace", reader.Text(reader.Size()));
        }
    }

    private void ReadFormats(ref DatReader reader)
    {
        for (uint systems = reader.U32(); systems > 0; systems--)
        {
            string system = reader.Text();
            for (uint count = reader.U32(); count > 0; count--)
            {
                AddFormat(system, reader.Text(reader.Size()));
            }
        }
    }

    private void AddFormat(string system, string text)
    {
        try
        {
            Formats.Add(TraceEventFormat.Parse(system, text));
        }
        catch (TraceFormatException)
        {
            _quality.Counter("formats_damaged", TraceDoubt.Damage, "Format texts that can't be understood; events of those kinds are of unknown kind.").Value++;
        }
    }

    private void ReadComms(string text)
    {
        foreach (string line in text.Split('\n'))
        {
            int space = line.IndexOf(' ', StringComparison.Ordinal);
            if (space > 0 && int.TryParse(line.AsSpan(0, space), NumberStyles.None, CultureInfo.InvariantCulture, out int pid))
            {
                _comms[pid] = line[(space + 1)..];
            }
        }
    }

    private void LatencyText() =>
        _quality.Counter("latency_text_not_read", TraceDoubt.Loss, "Buffers that a latency tracer left as text; their events are not read.").Value++;

    private void Truncated() =>
        _quality.Counter(TraceCounter.Truncated, TraceDoubt.Loss, "1: the file ends before it should; what is missing is not counted.").Value = 1;

    private int CheckPageSize(uint size, long place) =>
        size is >= 64 and <= MaximumPageSize ? (int)size : throw new TraceFormatException(_map.Path, place, $"a page of {size} bytes.");

    private static string Utf8(ReadOnlySpan<byte> data)
    {
        int nul = data.IndexOf((byte)0);
        return Encoding.UTF8.GetString(nul < 0 ? data : data[..nul]).TrimEnd('\n');
    }

    /// <summary>A number as C's strtoll reads it: with a sign, hexadecimal behind 0x.</summary>
    private static long Number(ReadOnlySpan<byte> data)
    {
        ReadOnlySpan<char> text = Utf8(data).AsSpan().Trim();
        bool isNegative = text.StartsWith("-");
        text = text.TrimStart("+-");
        bool isHex = text.StartsWith("0x");
        bool isRead = isHex
            ? long.TryParse(text[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long value)
            : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
        return !isRead ? 0 : isNegative ? unchecked(-value) : value;
    }

    /// <summary>The clock in brackets: <c>[local] global counter</c>.</summary>
    private static string? SelectedClock(string text)
    {
        int open = text.IndexOf('[', StringComparison.Ordinal);
        int close = text.IndexOf(']', StringComparison.Ordinal);
        return open >= 0 && close > open + 1 ? text[(open + 1)..close] : null;
    }
}
