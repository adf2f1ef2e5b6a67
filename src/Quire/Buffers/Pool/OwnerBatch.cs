namespace Quire;

/// <summary>Room for 32 free owners in the depot.</summary>
internal sealed class OwnerBatch
{
    internal const int Size = 32;

    internal readonly PageMemory?[] Owners = new PageMemory?[Size];

    /// <summary>The next in the depot's list.</summary>
    internal OwnerBatch? Next;
}
