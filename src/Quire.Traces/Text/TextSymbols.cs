using System.Runtime.CompilerServices;

namespace Quire.Traces;

/// <summary>
/// The frames of stacks: each distinct text of a frame has one number. Where the text has the address, that is it; where not, the frame's place in the list of
/// distinct names, from 1 on, which no kernel has code at.
/// </summary>
internal sealed unsafe class TextSymbols
{
    /// <summary>More distinct frames than this no kernel has; those that come then have the last one's name.</summary>
    private const int Maximum = 1 << 20;

    /// <summary>Stands for a frame of user space: the stack ends before it.</summary>
    internal const ulong User = ulong.MaxValue;

    private const string TooMany = "(too many functions)";

    private readonly ByteTable _texts = new();
    private readonly Dictionary<string, ulong> _numbers = new(StringComparer.Ordinal);
    private readonly List<string> _names = [];
    private readonly Dictionary<ulong, string> _named = [];
    private ulong[] _addresses = new ulong[256];

    internal string NameOf(ulong address) =>
        _named.TryGetValue(address, out string? name) ? name
        : address - 1 < (ulong)_names.Count ? _names[(int)(address - 1)]
        : $"0x{address:x}";

    /// <summary>Whether a frame with this text was seen before: one that is cut was not.</summary>
    internal bool IsKnown(byte* text, int length) => _texts.Find(text, length) >= 0;

    /// <summary>The address of a frame as ftrace and trace-cmd print it, behind the arrow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal ulong OfArrow(byte* text, int length)
    {
        int number = _texts.Find(text, length);
        return number >= 0 ? _addresses[number] : Add(text, length, Arrow(new ReadOnlySpan<byte>(text, length)));
    }

    /// <summary>The address of a frame as perf prints it: <c>address function+0x12 (where)</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal ulong OfPerf(byte* text, int length)
    {
        int number = _texts.Find(text, length);
        return number >= 0 ? _addresses[number] : Add(text, length, Perf(text, length));
    }

    private ulong Add(byte* text, int length, ulong address)
    {
        if (_texts.Count >= Maximum)
        {
            return address;
        }

        int number = _texts.Add(text, length);
        if (number == _addresses.Length)
        {
            Array.Resize(ref _addresses, number * 2);
        }

        return _addresses[number] = address;
    }

    private ulong Arrow(ReadOnlySpan<byte> text)
    {
        // " (ffffffff8112a03d)" of trace-cmd, " <ffffffff8112a03d>" of the kernel's option sym-addr.
        ulong address = 0;
        if (text.Length > 2 && text[^1] is (byte)')' or (byte)'>')
        {
            int open = text.LastIndexOf(text[^1] == ')' ? (byte)'(' : (byte)'<');
            if (open >= 0 && TryAddress(text[(open + 1)..^1], out address))
            {
                text = text[..open];
            }
        }

        text = text.Trim((byte)' ');
        if (address == 0 && TryAddress(text, out address))
        {
            return address;
        }

        return Named(address, text.IsEmpty ? null : Function(text));
    }

    private ulong Perf(byte* text, int length)
    {
        int at = 0;
        if (!TextBytes.TryHex(text, ref at, length, out ulong address))
        {
            return User;
        }

        ReadOnlySpan<byte> rest = new ReadOnlySpan<byte>(text + at, length - at).Trim((byte)' ');
        ReadOnlySpan<byte> place = default;
        int open = rest.LastIndexOf(" ("u8);
        if (open < 0 && rest.StartsWith("("u8))
        {
            open = 0;
        }

        if (open >= 0 && rest[^1] == ')')
        {
            place = rest[open..].Trim((byte)' ')[1..^1];
            rest = rest[..open];
        }

        if (place.SequenceEqual("inlined"u8))
        {
            // It has its caller's address: what is inlined needs a number of its own.
            return address >> 63 == 0 ? User : Named(0, Function(rest));
        }

        if (!IsKernel(place, address))
        {
            return User;
        }

        bool isUnknown = rest.IsEmpty || rest.SequenceEqual("[unknown]"u8);
        string? name = isUnknown ? null : Function(rest);
        if (name is not null && place.Length > 2 && place[0] == '[' && !IsCore(place))
        {
            name = $"{name} {TextNames.StringOf(place)}";
        }

        return Named(address, name);
    }

    /// <summary>The function's name alone: the offset goes, a module stays.</summary>
    private static string Function(ReadOnlySpan<byte> text)
    {
        int plus = text.LastIndexOf("+0x"u8);
        if (plus <= 0)
        {
            return TextNames.StringOf(text.Trim((byte)' '));
        }

        int module = text[plus..].IndexOf(" ["u8);
        string name = TextNames.StringOf(text[..plus]);
        return module < 0 ? name : name + TextNames.StringOf(text[(plus + module)..]);
    }

    private ulong Named(ulong address, string? name)
    {
        if (address != 0)
        {
            if (name is not null && _named.Count < Maximum)
            {
                _named.TryAdd(address, name);
            }

            return address;
        }

        name ??= "0";
        name = _names.Count < Maximum ? name : TooMany;
        if (!_numbers.TryGetValue(name, out ulong number))
        {
            _names.Add(name);
            number = (ulong)_names.Count;
            _numbers.Add(name, number);
        }

        return number;
    }

    private static bool TryAddress(ReadOnlySpan<byte> text, out ulong address)
    {
        bool isMarked = text.StartsWith("0x"u8);
        text = isMarked ? text[2..] : text;
        address = 0;
        fixed (byte* bytes = text)
        {
            int at = 0;
            bool isRead = (text.Length is 8 or 16 || (isMarked && text.Length is > 0 and <= 16)) && TextBytes.TryHex(bytes, ref at, text.Length, out address) && at == text.Length;
            address = isRead ? address : 0;
            return address != 0;
        }
    }

    private static bool IsCore(ReadOnlySpan<byte> place) => place.StartsWith("[kernel"u8) || place.StartsWith("[guest.kernel"u8) || place.StartsWith("[unknown"u8);

    /// <summary>Whether perf's place of a frame is the kernel or a module.</summary>
    private static bool IsKernel(ReadOnlySpan<byte> place, ulong address)
    {
        if (place.IsEmpty || place.SequenceEqual("[unknown]"u8))
        {
            return address >> 48 == 0xffff || (address >= 0xc000_0000 && address <= uint.MaxValue);
        }

        if (place[0] == '[')
        {
            return !(place.StartsWith("[vdso"u8) || place.StartsWith("[vsyscall"u8) || place.StartsWith("[heap"u8) || place.StartsWith("[stack"u8)
                || place.StartsWith("[vvar"u8) || place.StartsWith("[uprobes"u8) || place.StartsWith("[anon"u8));
        }

        return place.IndexOf("vmlinux"u8) >= 0 || place.EndsWith(".ko"u8) || place.IndexOf(".ko."u8) >= 0 || place.IndexOf("/kcore"u8) >= 0;
    }
}
