using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Quire.Traces.Tests;

/// <summary>
/// Makes trace.dat files byte by byte as the manual pages say, without the library's writer: of either byte order and word size, with pages as a test wants them.
/// </summary>
internal sealed class DatBuilder(bool isBigEndian, int wordBytes, int pageBytes = 4096)
{
    private readonly List<(int Id, byte[] Data)> _options = [];
    private Func<byte[], byte[]> _pack = Zlib;

    internal bool IsBigEndian => isBigEndian;

    internal int DataOffset => 8 + wordBytes;

    internal List<string> Formats { get; } =
    [
        $"name: probe\nID: 300\nformat:\n{Common}\tfield:unsigned long number;\toffset:8;\tsize:{wordBytes};\tsigned:0;\n\tfield:int small;\toffset:{8 + wordBytes};\tsize:4;\tsigned:1;\n" +
        $"\tfield:short tiny;\toffset:{12 + wordBytes};\tsize:2;\tsigned:1;\n\tfield:char letters[6];\toffset:{14 + wordBytes};\tsize:6;\tsigned:1;\n" +
        $"\tfield:__data_loc char[] text;\toffset:{20 + wordBytes};\tsize:4;\tsigned:1;\n\tfield:__rel_loc char[] near;\toffset:{24 + wordBytes};\tsize:4;\tsigned:1;\n\nprint fmt: \"%lu\", REC->number\n",
    ];

    internal string Symbols { get; set; } = "00001000 t first\n00002000 T second\t[module]\n";

    internal string Comms { get; set; } = "42 a task with spaces\n43 other\n";

    /// <summary>Pages by buffer ("" the main one) and CPU.</summary>
    internal List<(string Buffer, int Cpu, byte[] Pages)> Data { get; } = [];

    private static string Common => "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n" +
        "\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n";

    private string StackFormat => $"name: kernel_stack\nID: 4\nformat:\n{Common}\tfield:int size;\toffset:8;\tsize:4;\tsigned:1;\n" +
        $"\tfield:unsigned long caller[8];\toffset:{(wordBytes == 8 ? 16 : 12)};\tsize:{wordBytes * 8};\tsigned:0;\n\nprint fmt: \"%ps\", (void *)REC->caller[0]\n";

    internal void Option(int id, byte[] data) => _options.Add((id, data));

    internal void Option(int id, string text) => Option(id, Encoding.UTF8.GetBytes(text + "\0"));

    /// <summary>An event of the kind that the file describes.</summary>
    internal byte[] Probe(int pid, ulong number, int small, short tiny, string letters, string text, string near, byte flags = 0)
    {
        int fields = 28 + wordBytes;
        byte[] bytes = [.. new byte[fields], .. Encoding.UTF8.GetBytes(text + "\0"), .. Encoding.UTF8.GetBytes(near + "\0")];
        Put(bytes, 0, 2, 300);
        bytes[2] = flags;
        Put(bytes, 4, 4, (uint)pid);
        Put(bytes, 8, wordBytes, number);
        Put(bytes, 8 + wordBytes, 4, (uint)small);
        Put(bytes, 12 + wordBytes, 2, (ushort)tiny);
        Encoding.ASCII.GetBytes(letters, bytes.AsSpan(14 + wordBytes, 6));
        int textBytes = Encoding.UTF8.GetByteCount(text) + 1;
        Put(bytes, 20 + wordBytes, 4, (uint)fields | ((uint)textBytes << 16));
        Put(bytes, 24 + wordBytes, 4, (uint)(fields + textBytes - (28 + wordBytes)) | ((uint)(Encoding.UTF8.GetByteCount(near) + 1) << 16));
        return bytes;
    }

    internal byte[] Stack(int pid, byte flags, params ulong[] addresses)
    {
        int first = wordBytes == 8 ? 16 : 12;
        byte[] bytes = new byte[first + (addresses.Length * wordBytes)];
        Put(bytes, 0, 2, 4);
        bytes[2] = flags;
        Put(bytes, 4, 4, (uint)pid);
        Put(bytes, 8, 4, (uint)addresses.Length);
        for (int at = 0; at < addresses.Length; at++)
        {
            Put(bytes, first + (at * wordBytes), wordBytes, addresses[at]);
        }

        return bytes;
    }

    /// <summary>An event as it stands in a page.</summary>
    internal byte[] Event(uint delta, byte[] payload, bool longForm = false)
    {
        int length = (payload.Length + 3) & ~3;
        byte[] bytes = new byte[length + (longForm ? 8 : 4)];
        Header(bytes, longForm ? 0 : (uint)length / 4, delta);
        if (longForm)
        {
            Put(bytes, 4, 4, (uint)payload.Length + 4);
        }

        payload.CopyTo(bytes, bytes.Length - length);
        return bytes;
    }

    /// <summary>Two words: 29 padding, 30 time extension, 31 absolute time.</summary>
    internal byte[] Special(uint type, uint delta, uint word)
    {
        byte[] bytes = new byte[8];
        Header(bytes, type, delta);
        Put(bytes, 4, 4, word);
        return bytes;
    }

    /// <summary>A page; <paramref name="lost"/>: null none, -1 some, else how many.</summary>
    internal byte[] Page(ulong time, long? lost, params byte[][] events)
    {
        byte[] page = new byte[pageBytes];
        Put(page, 0, 8, time);
        byte[] data = [.. events.SelectMany(static bytes => bytes)];
        data.CopyTo(page, DataOffset);
        ulong commit = (uint)data.Length;
        if (lost is { } count)
        {
            commit |= 1u << 31;
            if (count >= 0)
            {
                commit |= 1u << 30;
                Put(page, DataOffset + data.Length, wordBytes, (ulong)count);
            }
        }

        Put(page, 8, wordBytes, commit);
        return page;
    }

    internal byte[] ToVersion6()
    {
        List<byte> file = [0x17, 0x08, 0x44, .. "tracing6\0"u8, (byte)(isBigEndian ? 1 : 0), (byte)wordBytes];
        U32(file, (uint)pageBytes);
        Head(file, Add);
        string[] instances = [.. Data.Select(static data => data.Buffer).Where(static name => name.Length > 0).Distinct()];
        int main = Data.Count(static data => data.Buffer.Length == 0);
        U32(file, (uint)main);
        file.AddRange("options  \0"u8);
        Dictionary<string, int> places = [];
        foreach ((int id, byte[] data) in _options)
        {
            OptionTo(file, id, data);
        }

        foreach (string name in instances)
        {
            U16(file, 3);
            U32(file, (uint)(9 + name.Length));
            places[name] = file.Count;
            U64(file, 0);
            file.AddRange(Encoding.ASCII.GetBytes(name + "\0"));
        }

        U16(file, 0);
        foreach (string buffer in instances.Prepend(""))
        {
            if (buffer.Length > 0)
            {
                PutAt(file, places[buffer], 8, (ulong)file.Count);
            }

            file.AddRange("flyrecord\0"u8);
            int table = file.Count;
            // Every buffer has a line for each CPU of the main one.
            file.AddRange(new byte[16 * main]);
            if (buffer.Length == 0 && _options.Exists(static option => option.Id == 4))
            {
                U64(file, 8);
                file.AddRange("[global]"u8);
            }

            foreach ((string _, int cpu, byte[] pages) in Data.Where(data => data.Buffer == buffer))
            {
                Align(file);
                PutAt(file, table + (16 * cpu), 8, (ulong)file.Count);
                PutAt(file, table + (16 * cpu) + 8, 8, (ulong)pages.Length);
                file.AddRange(pages);
            }
        }

        return [.. file];
    }

    /// <summary>A version 7 file; packed, with zlib or in the way given, where <paramref name="chunkPages"/> says how many pages a chunk has.</summary>
    internal byte[] ToVersion7(int chunkPages = 0, string codec = "zlib", Func<byte[], byte[]>? pack = null)
    {
        _pack = pack ?? Zlib;
        List<byte> file = [0x17, 0x08, 0x44, .. "tracing7\0"u8, (byte)(isBigEndian ? 1 : 0), (byte)wordBytes];
        U32(file, (uint)pageBytes);
        file.AddRange(chunkPages > 0 ? Encoding.ASCII.GetBytes(codec + "\01.2.13\0") : "none\0\0"u8.ToArray());
        int options = file.Count;
        U64(file, 0);
        List<byte> list = [];
        int[] ids = [16, 17, 18, 19, 20, 21];
        int next = 0;
        Head(file, (target, bytes) =>
        {
            // Each part of the head is a section.
            OptionTo(list, ids[next], Number(8, (ulong)target.Count));
            Section(target, ids[next++], chunkPages > 0 ? Packed(bytes) : bytes, chunkPages > 0);
        });
        foreach ((int id, byte[] data) in _options)
        {
            OptionTo(list, id, data);
        }

        IGrouping<string, (string Buffer, int Cpu, byte[] Pages)>[] buffers = [.. Data.GroupBy(static data => data.Buffer)];
        List<int> places = [];
        foreach (IGrouping<string, (string Buffer, int Cpu, byte[] Pages)> buffer in buffers)
        {
            List<byte> option = [.. new byte[8], .. Encoding.ASCII.GetBytes(buffer.Key + "\0local\0"), .. Number(4, (ulong)pageBytes), .. Number(4, (ulong)buffer.Count())];
            places.Add(file.Count + 16 + list.Count + 6);
            OptionTo(list, 3, [.. option, .. new byte[20 * buffer.Count()]]);
        }

        OptionTo(list, 0, new byte[8]);
        PutAt(file, options, 8, (ulong)file.Count);
        Section(file, 0, [.. list], false);
        foreach ((IGrouping<string, (string Buffer, int Cpu, byte[] Pages)> buffer, int place) in buffers.Zip(places))
        {
            PutAt(file, place, 8, (ulong)file.Count);
            int entry = place + 8 + buffer.Key.Length + 1 + 6 + 8;
            U16(file, 3);
            U16(file, (ushort)(chunkPages > 0 ? 1 : 0));
            U32(file, uint.MaxValue);
            U64(file, 0);
            foreach ((string _, int cpu, byte[] pages) in buffer)
            {
                Align(file);
                byte[] data = chunkPages > 0 ? Chunks(pages, chunkPages) : pages;
                PutAt(file, entry, 4, (ulong)cpu);
                PutAt(file, entry + 4, 8, (ulong)file.Count);
                PutAt(file, entry + 12, 8, (ulong)(data.Length - (chunkPages > 0 ? 4 : 0)));
                entry += 20;
                file.AddRange(data);
            }
        }

        return [.. file];
    }

    private void Head(List<byte> file, Action<List<byte>, byte[]> add)
    {
        List<byte> part = [.. "header_page\0"u8];
        Sized(part, $"\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\tfield: local_t commit;\toffset:8;\tsize:{wordBytes};\tsigned:1;\n" +
            $"\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n\tfield: char data;\toffset:{DataOffset};\tsize:{pageBytes - DataOffset};\tsigned:1;\n");
        part.AddRange("header_event\0"u8);
        Sized(part, "# compressed entry header\n");
        add(file, [.. part]);
        part.Clear();
        U32(part, 1);
        Sized(part, StackFormat);
        add(file, [.. part]);
        part.Clear();
        U32(part, 1);
        part.AddRange("test\0"u8);
        U32(part, (uint)Formats.Count);
        Formats.ForEach(text => Sized(part, text));
        add(file, [.. part]);
        part.Clear();
        U32(part, (uint)Symbols.Length);
        part.AddRange(Encoding.ASCII.GetBytes(Symbols));
        add(file, [.. part]);
        part.Clear();
        U32(part, 0);
        add(file, [.. part]);
        part.Clear();
        Sized(part, Comms);
        add(file, [.. part]);
    }

    private byte[] Chunks(byte[] pages, int chunkPages)
    {
        byte[][] parts = [.. pages.Chunk(chunkPages * pageBytes)];
        return [.. Number(4, (ulong)parts.Length), .. parts.SelectMany(Packed)];
    }

    internal byte[] Packed(byte[] bytes)
    {
        byte[] packed = _pack(bytes);
        return [.. Number(4, (ulong)packed.Length), .. Number(4, (ulong)bytes.Length), .. packed];
    }

    private static byte[] Zlib(byte[] bytes)
    {
        using MemoryStream packed = new();
        using (ZLibStream zlib = new(packed, CompressionLevel.Fastest))
        {
            zlib.Write(bytes);
        }

        return packed.ToArray();
    }

    private void Section(List<byte> file, int id, byte[] bytes, bool isPacked)
    {
        U16(file, (ushort)id);
        U16(file, (ushort)(isPacked ? 1 : 0));
        U32(file, uint.MaxValue);
        U64(file, (ulong)bytes.Length);
        file.AddRange(bytes);
    }

    private void OptionTo(List<byte> file, int id, byte[] data)
    {
        U16(file, (ushort)id);
        U32(file, (uint)data.Length);
        file.AddRange(data);
    }

    private void Header(byte[] target, uint type, uint delta) => Put(target, 0, 4, isBigEndian ? (type << 27) | delta : type | (delta << 5));

    private void Put(byte[] target, int offset, int size, ulong value) => Number(size, value).CopyTo(target, offset);

    private void PutAt(List<byte> file, int offset, int size, ulong value)
    {
        byte[] bytes = Number(size, value);
        for (int at = 0; at < size; at++)
        {
            file[offset + at] = bytes[at];
        }
    }

    internal byte[] Number(int size, ulong value)
    {
        byte[] bytes = new byte[8];
        if (isBigEndian)
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
            return bytes[(8 - size)..];
        }

        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return bytes[..size];
    }

    private static void Add(List<byte> file, byte[] bytes) => file.AddRange(bytes);

    private void U16(List<byte> file, ushort value) => file.AddRange(Number(2, value));

    private void U32(List<byte> file, uint value) => file.AddRange(Number(4, value));

    private void U64(List<byte> file, ulong value) => file.AddRange(Number(8, value));

    private void Sized(List<byte> file, string text)
    {
        U64(file, (ulong)text.Length);
        file.AddRange(Encoding.ASCII.GetBytes(text));
    }

    private void Align(List<byte> file) => file.AddRange(new byte[(pageBytes - (file.Count % pageBytes)) % pageBytes]);
}
