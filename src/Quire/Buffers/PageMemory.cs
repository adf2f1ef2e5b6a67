using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>
/// An owner of bytes in a page: one reference, and a <see cref="Memory{T}"/> on exactly the bytes that were asked for. Got from a
/// <see cref="QuireMemoryPool"/>, from a fragment (<see cref="Of"/>), or as a slice of another.
/// </summary>
/// <remarks>
/// <para>
/// Owns one reference of the page's count, whatever its size: dispose it once. <see cref="Slice"/> gives an owner of its own on part of the same bytes,
/// and so does <see cref="Pin"/> for as long as the pin lasts; the page is free when the last of them is gone, in whatever order.
/// </para>
/// <para>
/// These objects are pooled while the ledger is off, so that a rent puts nothing on the GC heap. A second dispose, and a <see cref="Memory{T}"/> used after the dispose, are then found until
/// the object is rented again; from then on they meet the next renter's bytes, as with an array of <see cref="ArrayPool{T}"/>. While the ledger is on (<see cref="Holders.Track"/>) each rent
/// has an object of its own, which is never used again: both are found always, and the message names both places.
/// </para>
/// <para>
/// No finalizer: an owner that is lost keeps its page, and <see cref="Holders"/> says who lost it. All members may be called on any thread; who disposes while another thread still
/// uses the bytes breaks the rules. Kernel: a page's reference, <c>get_page</c> and <c>put_page</c>.
/// </para>
/// </remarks>
public sealed unsafe partial class PageMemory : MemoryManager<byte>, IMemoryOwner<byte>
{
    /// <summary>The page's identity as the handle has it; 0 while the owner owns nothing. One comparison with the descriptor asks both.</summary>
    private ulong _identity;

    /// <summary>The second word of the fragment's handle; of a page's only the ticket.</summary>
    private ulong _word;
    private byte* _address;
    private int _length;
    private OwnerKind _kind;
    private QuireMemoryPool? _pool;

    /// <summary>Where it was taken and disposed first; only while the ledger is on.</summary>
    private uint _taken;
    private uint _released;

    internal PageMemory()
    {
    }

    /// <summary>Bytes, exactly as many as were asked for.</summary>
    /// <exception cref="PageBugException">The owner was disposed.</exception>
    public int Length
    {
        get
        {
            ThrowIfStale("Length");
            return _length;
        }
    }

    /// <summary>The bytes, for as long as the owner is not disposed, or a pin of it lasts.</summary>
    /// <exception cref="PageBugException">The owner was disposed.</exception>
    public override Memory<byte> Memory
    {
        get
        {
            ThrowIfStale("Memory");
            return _pool is { IsPlain: true } && !IsTracked && PageArrays.TryGet(PageIdentity.Frame(_identity), _address, _length, out ArraySegment<byte> plain)
                ? MemoryMarshal.CreateFromPinnedArray(plain.Array, plain.Offset, plain.Count)
                : CreateMemory(_length);
        }
    }

    /// <summary>The bytes as a span, which is not checked again.</summary>
    /// <exception cref="PageBugException">The owner was disposed.</exception>
    public Span<byte> Span => GetSpan();

    /// <summary>The page in which the bytes lie, as a handle without a reference of its own (<c>virt_to_page</c>): its number tells the memory's region without a search.</summary>
    /// <exception cref="PageBugException">The owner was disposed.</exception>
    public Page Page
    {
        get
        {
            ThrowIfStale("Page");
            return new Page(PageIdentity.Unmarked(_identity));
        }
    }

    /// <summary>The pool it was rented from; null for one made of a fragment.</summary>
    /// <exception cref="PageBugException">The owner was disposed.</exception>
    public QuireMemoryPool? Pool
    {
        get
        {
            ThrowIfStale("Pool");
            return _pool;
        }
    }

    /// <summary>Makes an owner of a fragment: takes over the caller's reference, which the caller must not free any more.</summary>
    /// <param name="fragment">The fragment.</param>
    /// <exception cref="PageBugException">The fragment is stale.</exception>
    public static PageMemory Of(PageFragment fragment) => Make(fragment, fragment.Address, fragment.Length);

    /// <summary>The same for part of a fragment's bytes: offset and length are the caller's affair.</summary>
    internal static PageMemory Make(PageFragment fragment, byte* address, int length, QuireMemoryPool? pool = null)
    {
        PageMemory memory = Fresh(fragment.IsTracked || Tracking.Active);
        memory._taken = fragment.IsTracked ? Ledger.OriginOf(fragment.Ticket) : 0;
        memory.Start(fragment._identity, fragment._word, address, length, OwnerKind.Fragment, pool);
        return memory;
    }

    /// <summary>The owner behind a piece of memory, with where in its bytes the piece lies. O(1): no search.</summary>
    /// <param name="memory">Any memory.</param>
    /// <param name="owner">The owner, still the caller's or whoever's it was.</param>
    /// <param name="start">Offset of the piece in the owner's bytes.</param>
    /// <param name="length">Bytes of the piece.</param>
    /// <returns>False where the memory is not Quire's. Memory of an owner that was disposed may lead to an owner that is another's by now.</returns>
    public static bool TryGetOwner(ReadOnlyMemory<byte> memory, [NotNullWhen(true)] out PageMemory? owner, out int start, out int length) =>
        MemoryMarshal.TryGetMemoryManager(memory, out owner, out start, out length);

    /// <summary>Takes one more reference, on part of the bytes. The slice is exact, and lives on when this owner is disposed.</summary>
    /// <param name="start">Offset of the first byte, 0 to <see cref="Length"/>.</param>
    /// <param name="length">Bytes; 0 too.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>An owner to be disposed on its own.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The part is not within the bytes.</exception>
    /// <exception cref="PageBugException">The owner was disposed; nothing was taken.</exception>
    public PageMemory Slice(int start, int length, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        ThrowIfStale("Slice");
        CheckPart(start, length);
        return Share(start, length, OwnerKind.Fragment, Tracking.Active ? new CallSite(file, line, member) : default);
    }

    /// <summary>The same, for who may read and not write.</summary>
    /// <inheritdoc cref="Slice" path="/param"/>
    /// <inheritdoc cref="Slice" path="/exception"/>
    public ReadOnlyPageMemory SliceReadOnly(int start, int length, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        new(Slice(start, length, file, line, member));

    /// <summary>Takes one more reference on all of the bytes, for who may read and not write.</summary>
    /// <exception cref="PageBugException">The owner was disposed; nothing was taken.</exception>
    public ReadOnlyPageMemory AsReadOnly([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        new(Slice(0, Length, file, line, member));

    /// <summary>Says that responsibility passed on: blame shows this line from now on, and who took it beside it. Nothing while the ledger is off.</summary>
    public void Touch([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        if (IsTracked)
        {
            Ledger.Touch(Ticket, Origin.Here(file, line, member));
        }
    }

    /// <summary>As <see cref="Touch"/>, and moves the reference into the caller's <see cref="PageLeakScope"/>, which answers for it from here on.</summary>
    public void Transfer([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        if (IsTracked)
        {
            Ledger.Transfer(Ticket, Origin.Here(file, line, member));
        }
    }

    /// <inheritdoc/>
    /// <exception cref="PageBugException">The owner was disposed.</exception>
    public override Span<byte> GetSpan()
    {
        ThrowIfStale("Span");
        return new Span<byte>(_address, _length);
    }

    /// <summary>
    /// Takes one more reference until the result is disposed, so that the address stays good whatever becomes of the owner. The memory of pages never moves: a pin is that reference and nothing else.
    /// </summary>
    /// <param name="elementIndex">Offset of the byte to which the result points, 0 to <see cref="Length"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The offset is not within the bytes.</exception>
    /// <exception cref="PageBugException">The owner was disposed; nothing was taken.</exception>
    public override MemoryHandle Pin(int elementIndex = 0)
    {
        ThrowIfStale("Pin");
        if ((uint)elementIndex > (uint)_length)
        {
            throw new ArgumentOutOfRangeException(nameof(elementIndex), elementIndex, $"The owner has {_length} bytes.");
        }

        PageMemory pin = Share(0, _length, OwnerKind.Pin, Tracking.Active ? Caller.Find() : default);
        return new MemoryHandle(_address + elementIndex, pinnable: pin);
    }

    /// <summary>Called by <see cref="MemoryHandle.Dispose"/>, on the object that <see cref="Pin"/> gave it; not for anyone else.</summary>
    /// <exception cref="PageBugException">This is not a pin, or it has ended.</exception>
    public override void Unpin()
    {
        if (_kind != OwnerKind.Pin)
        {
            throw PageMemoryBug.NotAPin(Frame, _length);
        }

        End("Unpin", "", 0, "");
    }

    /// <summary>Drops the owner's reference; the last one frees the page (<c>put_page</c>).</summary>
    /// <exception cref="PageBugException">It was disposed before. Nothing was changed; with the ledger on the message names both places.</exception>
    public void Dispose([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        End("Dispose", file, line, member);

    /// <inheritdoc/>
    void IDisposable.Dispose() => End("Dispose", "", 0, "");

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => End("Dispose", "", 0, "");

    /// <summary>The array behind the memory, where its region is one of pinned arrays; false for mapped memory.</summary>
    protected override bool TryGetArray(out ArraySegment<byte> segment)
    {
        ThrowIfStale("TryGetArray");
        return PageArrays.TryGet(PageIdentity.Frame(_identity), _address, _length, out segment);
    }
}
